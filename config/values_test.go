package config

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"
)

func TestSecretIsNeverPrinted(t *testing.T) {
	const text = "hunter2"
	c := Default()
	c.S3.SecretKey = text

	var printed bytes.Buffer
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d", "%20s"} {
		fmt.Fprintf(&printed, verb+"\n", c.S3.SecretKey)
		fmt.Fprintf(&printed, verb+"\n", &c.S3)
		fmt.Fprintf(&printed, verb+"\n", c)
	}
	fmt.Fprintln(&printed, c.S3.SecretKey, c.S3.SecretKey.String(), any(c))
	for _, marshal := range []func(any) ([]byte, error){json.Marshal, yaml.Marshal} {
		data, err := marshal(c)
		if err != nil {
			t.Fatal(err)
		}
		printed.Write(data)
	}
	for _, h := range []slog.Handler{slog.NewJSONHandler(&printed, nil), slog.NewTextHandler(&printed, nil)} {
		slog.New(h).Info("settings", "secret", c.S3.SecretKey, "s3", c.S3, "all", &c)
	}

	hex := fmt.Sprintf("%x", text)
	if s := strings.ToLower(printed.String()); strings.Contains(s, text) || strings.Contains(s, hex) {
		t.Errorf("the secret was printed:\n%s", s)
	}
	if got := c.S3.SecretKey.Reveal(); got != text {
		t.Errorf("Reveal() = %q", got)
	}
}

func TestSizes(t *testing.T) {
	for _, test := range []struct {
		text string
		want Size
		form string
	}{
		{"8MiB", 8 << 20, "8MiB"},
		{" 8 mib ", 8 << 20, "8MiB"},
		{"10GB", 10_000_000_000, "10GB"},
		{"1024", 1024, "1KiB"},
		{"5b", 5, "5"},
		{"0", 0, "0"},
		{"1TiB", 1 << 40, "1TiB"},
		{"1500KB", 1_500_000, "1500KB"},
		{"9223372036854775807", 1<<63 - 1, "9223372036854775807"},
	} {
		got, err := ParseSize(test.text)
		if err != nil || got != test.want || got.String() != test.form {
			t.Errorf("ParseSize(%q) = %d (%s), %v; want %d (%s)", test.text, got, got, err, test.want, test.form)
		}
		if again, err := ParseSize(got.String()); err != nil || again != got {
			t.Errorf("ParseSize(%q) = %d, %v; want %d", got.String(), again, err, got)
		}
	}
	for _, text := range []string{"", "MiB", "-1", "8M", "1.5GiB", "8 MiB x", "9223372036854775808", "9000000TiB", "0x10"} {
		if got, err := ParseSize(text); err == nil {
			t.Errorf("ParseSize(%q) = %d, want an error", text, got)
		}
	}
}

func TestPortRanges(t *testing.T) {
	for text, want := range map[string]PortRange{
		"50000-50999": {50000, 50999}, "50000 - 50999": {50000, 50999}, "2100": {2100, 2100}, "0": {}, "": {},
	} {
		got, err := ParsePortRange(text)
		if err != nil || got != want {
			t.Errorf("ParsePortRange(%q) = %v, %v", text, got, err)
		}
		if again, err := ParsePortRange(got.String()); err != nil || again != got {
			t.Errorf("ParsePortRange(%q) = %v, %v; want %v", got.String(), again, err, got)
		}
	}
	for _, text := range []string{"2-1", "0-5", "-", "1-", "70000", "1-70000", "a-b", "1-2-3", "-1"} {
		if got, err := ParsePortRange(text); err == nil {
			t.Errorf("ParsePortRange(%q) = %v, want an error", text, got)
		}
	}
	if (PortRange{}).Contains(0) || !(PortRange{First: 5, Last: 6}).Contains(6) {
		t.Error("Contains is wrong")
	}
}
