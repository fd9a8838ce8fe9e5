package config

import (
	"fmt"
	"os"
	"reflect"
	"regexp"
	"strings"
	"testing"
	"time"

	"go.yaml.in/yaml/v3"
)

// docs/configuration.md has one row a key: key, default, example, meaning.
func TestDocumentationMatchesTheKeys(t *testing.T) {
	page, err := os.ReadFile("../docs/configuration.md")
	if err != nil {
		t.Fatal(err)
	}
	rows := make(map[string][]string)
	for _, row := range regexp.MustCompile("(?m)^\\| `([a-z0-9_]+\\.[a-z0-9_]+)` \\|(.*)\\|$").FindAllStringSubmatch(string(page), -1) {
		rows[row[1]] = strings.Split(row[2], " | ")
	}

	c := Default()
	for _, s := range settings(&c) {
		row := rows[s.key]
		delete(rows, s.key)
		if len(row) != 3 {
			t.Errorf("%s: not one row of key, default, example and meaning", s.key)
			continue
		}
		checkDefault(t, s, strings.Trim(row[0], " `"))
		checkExample(t, s, strings.Trim(row[1], " `"))
	}
	for key := range rows {
		t.Errorf("%s: documented, but no such key", key)
	}
}

// checkDefault sets the documented default and sees whether the value changes.
func checkDefault(t *testing.T, s setting, documented string) {
	t.Helper()
	before := fmt.Sprint(s.field.Interface())
	if documented == `""` {
		documented = ""
	}
	if err := s.set(documented); err != nil {
		t.Errorf("%s: default %q: %v", s.key, documented, err)
	}
	if after := fmt.Sprint(s.field.Interface()); after != before {
		t.Errorf("%s: documented default %s, true default %s", s.key, after, before)
	}
	_, isSecret := reflect.TypeAssert[Secret](s.field)
	if isSecret && (documented != "" || s.field.String() != "") {
		t.Errorf("%s: a secret has no default", s.key)
	}
}

// checkExample sees that the example can be read and is no repetition of the default.
func checkExample(t *testing.T, s setting, example string) {
	t.Helper()
	before := s.field.Interface()
	if err := s.set(example); err != nil {
		t.Errorf("%s: example %q: %v", s.key, example, err)
	}
	if reflect.DeepEqual(s.field.Interface(), before) {
		t.Errorf("%s: the example %q is the default", s.key, example)
	}
}

func TestExampleFileHoldsEveryKeyAndTheDefaults(t *testing.T) {
	const path = "../docs/spd.example.yaml"
	c, err := Load(path, nil)
	if err != nil {
		t.Fatal(err)
	}
	want := Default()
	want.S3.AccessKey, want.S3.SecretKey = c.S3.AccessKey, c.S3.SecretKey
	want.Database.DSN = c.Database.DSN
	if !reflect.DeepEqual(c, want) {
		t.Errorf("the example sets %+v, the defaults are %+v", c, want)
	}

	page, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range settings(&c) {
		_, key, _ := strings.Cut(s.key, ".")
		if !strings.Contains(string(page), "\n  "+key+": ") {
			t.Errorf("%s: not in the example", s.key)
		}
	}
}

// The environments of the nodes in docker-compose.yml.
func TestComposeFileIsAConfiguration(t *testing.T) {
	page, err := os.ReadFile("../docker-compose.yml")
	if err != nil {
		t.Fatal(err)
	}
	var compose struct {
		Services map[string]struct {
			Environment map[string]string `yaml:"environment"`
		} `yaml:"services"`
	}
	if err := yaml.Unmarshal(page, &compose); err != nil {
		t.Fatal(err)
	}
	for _, node := range []string{"spd-1", "spd-2"} {
		var environ []string
		for name, value := range compose.Services[node].Environment {
			environ = append(environ, name+"="+regexp.MustCompile(`^\$\{.*:-(.*)\}$`).ReplaceAllString(value, "$1"))
		}
		if len(environ) == 0 {
			t.Fatalf("%s has no environment", node)
		}
		if _, err := Load("", environ); err != nil {
			t.Errorf("%s: %v", node, err)
		}
	}
}

// The struct's comments speak of all kinds of fields; a new kind needs a case in set.
func TestEveryFieldCanBeSet(t *testing.T) {
	c := Default()
	for _, s := range settings(&c) {
		text := fmt.Sprint(s.field.Interface())
		if d, ok := reflect.TypeAssert[time.Duration](s.field); ok {
			text = d.String()
		}
		if err := s.set(text); err != nil {
			t.Errorf("%s: %v", s.key, err)
		}
		if !s.field.CanSet() || strings.HasSuffix(s.key, ".") {
			t.Errorf("%s: no koanf tag, or not exported", s.key)
		}
	}
}
