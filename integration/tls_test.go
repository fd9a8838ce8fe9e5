package integration

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/spdscheme/spdserver/internal/spdtest"
)

func TestTLSVersions(t *testing.T) {
	t.Parallel()
	s := start(t, spdtest.Options{TLS: true})
	strict := start(t, spdtest.Options{TLS: true, Config: map[string]string{"tls.min_version": "1.3"}})
	file := write(t, filepath.Join(t.TempDir(), "f"), []byte(strings.Repeat("content\n", 100_000)))

	for _, test := range []struct {
		name, url string
		flags     []string
		node      *spdtest.SPD
	}{
		{"explicit", s.URL(), []string{"--ssl-reqd"}, s},
		{"implicit", s.ImplicitURL(), nil, s},
	} {
		for _, version := range []string{"1.2", "1.3"} {
			t.Run(test.name+" "+version, func(t *testing.T) {
				flags := append([]string{"-v", "--cacert", s.CertFile, "--tlsv" + version, "--tls-max", version}, test.flags...)
				r := tryCurl(t, append(flags, "-T", file, test.url+"/f")...)
				if r.code != 0 || !strings.Contains(r.stderr, "SSL connection using TLSv"+version) {
					t.Fatalf("upload: exit code %d\n%s", r.code, r.stderr)
				}
				if got := curl(t, append(flags, test.url+"/f")...); got != read(t, file) {
					t.Errorf("got %d bytes", len(got))
				}
			})
		}
	}

	for _, test := range []struct {
		node    *spdtest.SPD
		version string
		works   bool
	}{
		{s, "-tls1_1", false}, {s, "-tls1_2", true}, {s, "-tls1_3", true},
		{strict, "-tls1_2", false}, {strict, "-tls1_3", true},
	} {
		r := run(t, strings.NewReader("QUIT\r\n"), "openssl", "s_client", "-starttls", "ftp", "-connect", test.node.Addr(),
			"-CAfile", test.node.CertFile, "-verify_return_error", test.version, "-cipher", "ALL:@SECLEVEL=0")
		if (r.code == 0) != test.works {
			t.Errorf("openssl %s: exit code %d\n%s%s", test.version, r.code, r.stdout, r.stderr)
		}
	}
}

func TestTLSRequired(t *testing.T) {
	t.Parallel()
	s := start(t, spdtest.Options{TLS: true, Config: map[string]string{"tls.required": "true"}})
	if r := tryCurl(t, s.URL()+"/"); r.code != 67 { // CURLE_LOGIN_DENIED
		t.Errorf("plain login: exit code %d\n%s", r.code, r.stderr)
	}
	if strings.Contains(s.Log(), `"verb":"PASS"`) {
		t.Error("somebody was asked for a password in clear text")
	}
	if r := tryCurl(t, "-k", "--ftp-ssl-control", s.URL()+"/"); r.code == 0 {
		t.Error("listing in clear text")
	}
	curl(t, "--ssl-reqd", "-k", s.URL()+"/")

	c := spdtest.DialFTP(t, s.Addr())
	c.StartTLS()
	c.Do("331", "USER alice")
	c.Do("230", "PASS secret")
	for _, command := range []string{"LIST", "NLST", "MLSD", "RETR f", "STOR f", "APPE f"} {
		c.Do("522", "%s", command)
	}
	c.Do("200", "PBSZ 0")
	c.Do("534", "PROT C")
	c.Do("522", "LIST")
}

func TestCertificateIsReplaced(t *testing.T) {
	t.Parallel()
	s := start(t, spdtest.Options{TLS: true})
	serial := func() string {
		c := spdtest.DialFTP(t, s.Addr())
		return c.StartTLS().PeerCertificates[0].SerialNumber.String()
	}
	old := spdtest.DialFTP(t, s.Addr())
	before := old.StartTLS().PeerCertificates[0].SerialNumber.String()
	after := spdtest.NewCertificate(t, s.CertFile, s.KeyFile).String()
	if before == after {
		t.Fatal("the certificates do not differ")
	}
	spdtest.Await(t, "new handshakes get the new certificate", func() error { return spdtest.Equal(serial(), after) })
	old.Do("331", "USER alice")
	old.Do("230", "PASS secret")
	curl(t, "--ssl-reqd", "--cacert", s.CertFile, s.URL()+"/")
	curl(t, "--cacert", s.CertFile, s.ImplicitURL()+"/")

	write(t, s.CertFile, []byte("nonsense")) // a broken file must not end FTPS
	s.AwaitLog("certificate reloaded")
	spdtest.Await(t, "the broken file is noticed", func() error {
		if got := serial(); got != after {
			t.Fatalf("certificate %s, want the last good one, %s", got, after)
		}
		return spdtest.Equal(strings.Contains(s.Log(), "certificate not reloaded"), true)
	})
}
