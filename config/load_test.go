package config

import (
	"errors"
	"flag"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "write the golden files anew")

// Each testdata/NAME.yaml has the problems expected of it in NAME.golden.
func TestProblemsOfFiles(t *testing.T) {
	files, err := filepath.Glob("testdata/*.yaml")
	if err != nil || len(files) == 0 {
		t.Fatalf("no test data: %v", err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".yaml"), func(t *testing.T) {
			got := "none\n"
			if _, err := Load(file, nil); err != nil {
				got = err.Error() + "\n"
			}
			golden(t, strings.TrimSuffix(file, ".yaml")+".golden", got)
		})
	}
}

func golden(t *testing.T, path, got string) {
	t.Helper()
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("problems (-want +got):\n%s", diff)
	}
}

const dsnVariable = "SPD_DATABASE_DSN=sqlite:///tmp/spd.db"

func TestDefaultsAreValid(t *testing.T) {
	want := Default()
	want.Database.DSN = "sqlite:///tmp/spd.db"
	got, err := Load("", []string{dsnVariable})
	if err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v, want %+v", got, want)
	}
}

func TestFileValuesAreTakenAsWritten(t *testing.T) {
	c, err := Load("testdata/good.yaml", nil)
	if err != nil {
		t.Fatal(err)
	}
	want := Default()
	want.FTP.Listen = "127.0.0.1:2121"
	want.FTP.PassivePorts = PortRange{}
	want.FTP.IdleTimeout = 90 * time.Second
	want.TLS.MinVersion = "1.3"
	want.S3.AccessKey, want.S3.SecretKey = "1e3", "0123"
	want.Transfer.Memory = GiB
	want.Database.DSN = "mysql://spd:p%40ss@127.0.0.1/spd"
	if !reflect.DeepEqual(c, want) {
		t.Errorf("got %+v, want %+v", c, want)
	}
}

func TestEnvironmentWinsOverFile(t *testing.T) {
	c, err := Load("testdata/good.yaml", []string{
		"HOME=/root",
		"SPD_CONFIG=/etc/spd.yaml",
		"SPD_SERVICE_HOST=10.0.0.1", "SPD_PORT=tcp://10.0.0.1:21", "SPD_PORT_21_TCP=tcp://10.0.0.1:21",
		"SPD_FTP_PASSIVE_PORTS=60000-60009",
		"SPD_FTP_MAX_SESSIONS_PER_IP=7",
		"SPD_FTP_BANNER=a=b",
		"SPD_ADMIN_LISTEN=",
	})
	if err != nil {
		t.Fatal(err)
	}
	if want := (PortRange{First: 60000, Last: 60009}); c.FTP.PassivePorts != want {
		t.Errorf("passive ports %v, want %v", c.FTP.PassivePorts, want)
	}
	if c.FTP.MaxSessionsPerIP != 7 || c.FTP.Banner != "a=b" || c.Admin.Listen != "" {
		t.Errorf("got %+v, %+v", c.FTP, c.Admin)
	}
}

func TestProblemsOfFileAndEnvironmentTogether(t *testing.T) {
	_, err := Load("testdata/unknown-keys.yaml", []string{
		"SPD_FTP_LISTENN=:21", "SPD_FTP=:21", "SPD_NONSENSE=1", "SPD_S3_MAX_REQUESTS=lots",
	})
	var problems Problems
	if !errors.As(err, &problems) {
		t.Fatalf("error %v is no Problems", err)
	}
	places := make([]string, len(problems))
	for i, p := range problems {
		places[i] = p.Key + " at " + p.Where
	}
	want := []string{
		"ftp.idle_timout at unknown-keys.yaml:3",
		"ftp.cert at unknown-keys.yaml:4",
		"ftp.colour at unknown-keys.yaml:5",
		"loging at unknown-keys.yaml:6",
		"listen at unknown-keys.yaml:8",
		"ftp.listenn at SPD_FTP_LISTENN",
		"ftp at SPD_FTP",
		"nonsense at SPD_NONSENSE",
		"s3.max_requests at SPD_S3_MAX_REQUESTS",
	}
	if diff := cmp.Diff(want, places); diff != "" {
		t.Errorf("problems (-want +got):\n%s", diff)
	}
}

func TestMissingFileIsTheOnlyProblem(t *testing.T) {
	path := filepath.Join(t.TempDir(), "absent.yaml")
	_, err := Load(path, nil)
	if want := path + ": cannot read the file: no such file or directory"; err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
}

func TestProblemsNeverQuoteSecrets(t *testing.T) {
	for _, environ := range [][]string{
		{"SPD_DATABASE_DSN=mysql://spd:hunter2/%zz@h/spd"},
		{"SPD_DATABASE_DSN=hunter2"},
		{"SPD_DATABASE_DSN=sqlite:hunter2"},
		{dsnVariable, "SPD_S3_SECRET_KEY=hunter2"},
		{dsnVariable, "SPD_S3_ENDPOINT=http://a:hunter2@h"},
		{dsnVariable, "SPD_S3_ENDPOINT=http://a:hunter2%zz@h"},
	} {
		_, err := Load("", environ)
		if err == nil {
			t.Errorf("%q: no problem", environ)
		} else if strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%q: %v", environ, err)
		}
	}
}

func TestValidate(t *testing.T) {
	if err := Default().Validate(); err == nil || !strings.HasPrefix(err.Error(), "database.dsn: is missing") {
		t.Errorf("Default().Validate() = %v, want the missing database.dsn", err)
	}
	c := Default()
	c.Database.DSN = "sqlite:///tmp/spd.db"
	if err := c.Validate(); err != nil {
		t.Errorf("Validate() = %v", err)
	}
}

func TestBucketNames(t *testing.T) {
	for name, want := range map[string]bool{
		"spd": true, "my-bucket.2": true, "ab": false, "": false, "a..b": false, "-ab": false, "ab-": false,
		"Abc": false, "a_b": false, "192.168.0.1": false, strings.Repeat("a", 63): true, strings.Repeat("a", 64): false,
	} {
		if got := bucketName(name); got != want {
			t.Errorf("bucketName(%q) = %v", name, got)
		}
	}
}
