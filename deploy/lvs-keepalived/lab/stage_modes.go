package main

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// stageModes: all ways to transfer, up and down, with three clients.
func stageModes(l *lab) {
	for _, how := range []security{plainFTP, explicit, implicit} {
		l.check(fmt.Sprintf("%s, %s, up and down", strings.Join(modes, " "), how), func() (string, error) {
			return "data from the VIP", eachMode(vip4, clientIP(0), how, modes)
		})
	}
	l.check("IPv6: EPSV EPRT, plain and explicit FTPS, up and down", func() (string, error) {
		for _, how := range []security{plainFTP, explicit} {
			if err := eachMode(vip6, clientIP6, how, []string{"EPSV", "EPRT"}); err != nil {
				return "", err
			}
		}
		return "data from the VIP", nil
	})
	l.check("lftp: passive and active, plain, explicit and implicit FTPS", l.withLFTP)
	l.check("curl: EPSV PASV, plain, explicit and implicit FTPS; EPRT PORT plain; IPv6", l.withCurl)
}

func eachMode(vip, from string, how security, modes []string) error {
	for i, mode := range modes {
		if err := roundTrip(vip, from, how, mode, content{seed: uint64(i), size: 3 << 20}); err != nil {
			return fmt.Errorf("%s %s: %w", mode, how, err)
		}
	}
	return nil
}

// roundTrip stores a file, fetches it again, and looks where data came from.
func roundTrip(vip, from string, how security, mode string, data content) error {
	s, err := connect(vip, from, how, fast)
	if err != nil {
		return err
	}
	defer s.quit()
	path := "/" + mode + ".bin"
	if err := s.upload(mode, path, 0, data.reader(0)); err != nil {
		return fmt.Errorf("upload: %w", err)
	}
	h := sha256.New()
	if err := s.download(mode, path, 0, h); err != nil {
		return fmt.Errorf("download: %w", err)
	}
	if s.dataPeer != vip {
		return fmt.Errorf("data came from %s", s.dataPeer)
	}
	return data.compare(path, h)
}

// localFile is a file for programs that want one.
func localFile(name string, data content) (string, error) {
	path := filepath.Join(work, name)
	var b bytes.Buffer
	if _, err := b.ReadFrom(data.reader(0)); err != nil {
		return "", err
	}
	return path, os.WriteFile(path, b.Bytes(), 0o644)
}

func sameFile(got, want string) error {
	a, err := os.ReadFile(got)
	if err != nil {
		return err
	}
	b, err := os.ReadFile(want)
	if err != nil {
		return err
	}
	if !bytes.Equal(a, b) {
		return fmt.Errorf("%s: %w", got, errContent)
	}
	return os.Remove(got)
}

func (l *lab) withLFTP() (string, error) {
	file, err := localFile("lftp.bin", content{seed: 7, size: 1 << 20})
	if err != nil {
		return "", err
	}
	back := filepath.Join(work, "lftp.back")
	tried := 0
	for _, passive := range []string{"on", "off"} {
		for _, how := range []string{"ftp:ssl-allow no; open ftp", "ftp:ssl-force yes; open ftp", "ftp:ssl-force yes; open ftps"} {
			script := fmt.Sprintf("set net:max-retries 1; set net:timeout 10; set cmd:fail-exit yes; set ssl:verify-certificate no; "+
				"set ftp:ssl-protect-data yes; set ftp:passive-mode %s; set %s://%s:%[3]s@%[4]s; put %[5]s -o lftp.bin; get lftp.bin -o %[6]s",
				passive, how, fast, vip4, file, back)
			if _, err := l.command("lftp", "--norc", "-c", script); err != nil {
				return "", err
			}
			if err := sameFile(back, file); err != nil {
				return "", err
			}
			tried++
		}
	}
	return fmt.Sprintf("%d ways", tried), nil
}

func (l *lab) withCurl() (string, error) {
	file, err := localFile("curl.bin", content{seed: 8, size: 1 << 20})
	if err != nil {
		return "", err
	}
	back := filepath.Join(work, "curl.back")
	tried := 0
	active := "--ftp-port " + clientIP(0)
	for _, way := range []string{"--ftp-pasv", "--ftp-pasv --disable-epsv", active, active + " --disable-eprt"} {
		for _, how := range []string{"ftp://" + vip4, "ftp://" + vip4 + " --ssl-reqd", "ftps://" + vip4, "ftp://[" + vip6 + "]"} {
			if strings.Contains(way, "port") && (strings.Contains(how, "ssl") || strings.Contains(how, "ftps")) {
				continue // curl 7.88 fails before it sends PORT: "sa_addr inet_ntop() failed"
			}
			if strings.Contains(how, "[") {
				if strings.Contains(way, "disable") {
					continue // PASV and PORT know no IPv6
				}
				way = strings.ReplaceAll(way, clientIP(0), clientIP6)
			}
			url, rest, _ := strings.Cut(how, " ")
			args := append(strings.Fields(way+" "+rest), "--silent", "--show-error", "--insecure", "--max-time", "20", "--user", fast+":"+fast)
			for _, transfer := range [][]string{{"--upload-file", file}, {"--output", back}} {
				if err := curl(append(append(slices.Clip(args), transfer...), url+"/curl.bin")); err != nil {
					return "", err
				}
			}
			if err := sameFile(back, file); err != nil {
				return "", err
			}
			tried++
		}
	}
	return fmt.Sprintf("%d ways", tried), nil
}

func curl(args []string) error {
	cmd := exec.Command("curl", args...)
	cmd.WaitDelay = time.Second
	_, err := output(cmd)
	return err
}
