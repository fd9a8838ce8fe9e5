package server_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"iter"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/spdscheme/spdserver/store"
	"github.com/spdscheme/spdserver/store/storetest"
)

// plant stores empty files of alice's without FTP; a name that ends in a slash is a directory.
func (r *rig) plant(names ...string) {
	r.t.Helper()
	for _, name := range names {
		_, err := r.files.Put(context.Background(), "alice/"+name, strings.NewReader(""), 0, store.PutOptions{})
		if err != nil {
			r.t.Fatal(err)
		}
	}
}

// names are the last words of lines.
func names(listing string) string {
	var words []string
	for line := range strings.Lines(listing) {
		fields := strings.Fields(line)
		words = append(words, append(fields, "")[max(len(fields)-1, 0)])
	}
	return strings.Join(words, " ")
}

func TestListings(t *testing.T) {
	r := newRig(t, nil)
	r.plant("b.txt", "a.txt", "c.dat", "sub/", "sub/x.txt", "sub/y.dat", "sub/deep/z.txt", "sub-b/x.txt", "sub.c", "[b].txt", "*", "-l", "1", "empty/")
	c := r.login("alice")
	const all = "* -l 1 [b].txt a.txt b.txt c.dat empty sub sub-b sub.c"
	for command, want := range map[string]string{
		"NLST":            all,
		"LIST":            all,
		"MLSD":            all,
		"LIST -a":         all,
		"LIST -la":        all,
		"LIST -A -l":      all,
		"LIST -1":         all,
		"LIST -Z":         all,
		"LIST --":         all,
		"LIST .":          all,
		"LIST -la sub":    "deep x.txt y.dat",
		"NLST -a sub":     "sub/deep sub/x.txt sub/y.dat",
		"NLST /sub/":      "/sub/deep /sub/x.txt /sub/y.dat",
		"NLST sub/x.txt":  "sub/x.txt",
		"LIST sub/x.txt":  "x.txt",
		"LIST empty":      "",
		"NLST empty":      "",
		"MLSD empty":      "",
		"LIST -r sub":     "y.dat x.txt deep",
		"LIST -d sub":     "sub",
		"LIST -- -l":      "-l",
		"LIST ./-l":       "-l",
		"NLST -d sub":     "sub",
		"NLST *.txt":      "[b].txt a.txt b.txt",
		"LIST *.txt":      "[b].txt a.txt b.txt",
		"LIST -l [ab]*":   "a.txt b.txt",
		"NLST [!ab]*.dat": "c.dat",
		"NLST [a-b].txt":  "a.txt b.txt",
		"NLST ?.*":        "a.txt b.txt c.dat",
		"NLST ?":          "* 1",
		"NLST *":          "*", // there is one of that name
		"NLST [b].txt":    "[b].txt",
		"MLSD [a]*":       "a.txt", // as ncftp does for "ls [a]*"
		"NLST sub/*.txt":  "sub/x.txt",
		"LIST sub/*.txt":  "x.txt",
		"NLST /sub/*.*":   "/sub/x.txt /sub/y.dat",
		"NLST ../*.dat":   "../c.dat",
		"NLST s*/x.txt":   "sub/x.txt sub-b/x.txt",
		"LIST s*/?.txt":   "sub/x.txt sub-b/x.txt",
		"NLST s*/*/z*":    "sub/deep/z.txt",
		"NLST sub*":       "sub sub-b sub.c",
		"LIST -R sub":     "deep x.txt y.dat  sub/deep: z.txt",
		"LIST -R":         all + "  ./empty:  ./sub: deep x.txt y.dat  ./sub/deep: z.txt  ./sub-b: x.txt",
		"NLST -R sub":     "sub/deep sub/x.txt sub/y.dat sub/deep/z.txt",
		"LIST -1R /sub":   "deep x.txt y.dat  /sub/deep: z.txt",
		"LIST -R sub*":    "sub sub-b sub.c  ./sub: deep x.txt y.dat  ./sub/deep: z.txt  ./sub-b: x.txt",
		"LIST -R a.txt":   "a.txt",
	} {
		if command == "LIST -R sub" || command == "LIST -1R sub" {
			want = strings.ReplaceAll(want, " sub/", " ./sub/")
		}
		if got := names(c.get(command)); got != want {
			t.Errorf("%s:\n got %s\nwant %s", command, got, want)
		}
	}
	for command, want := range map[string]string{
		"LIST missing": "550", "NLST *.missing": "550", "LIST -la missing": "550", "LIST missing/*": "550",
		"MLSD a.txt": "501", "MLSD *.missing": "550", "MLSD s*/*": "550", "NLST [": "550", "NLST s*/*/*/*/*/*/*/*/*": "501", "NLST a.txt/*": "550",
	} {
		c.passive()
		c.do(want, "%s", command)
	}
	c.do("250", "CWD sub")
	if got := names(c.get("NLST *.txt")); got != "x.txt" {
		t.Errorf("in sub: %s", got)
	}
	c.do("257", "MKD /d*")
	c.put("226", "STOR /d*/x1", nil)
	c.do("250", "CWD /d*")
	if got := names(c.get("NLST x*")); got != "x1" {
		t.Errorf("in a directory with a wildcard in its name: %s", got)
	}
}

// Wildcards are those of the characters that the client sees, not of their bytes.
func TestWildcardsMatchCharacters(t *testing.T) {
	r := newRig(t, nil)
	r.plant("中文.txt", "中.txt", "é", "ab.txt")
	c := r.login("alice")
	for command, want := range map[string]string{
		"NLST ?.txt": "中.txt", "NLST ??.txt": "ab.txt 中文.txt", "NLST 中*": "中.txt 中文.txt", "NLST [é中]": "é",
	} {
		if got := names(c.get(command)); got != want {
			t.Errorf("%s: %s, want %s", command, got, want)
		}
	}
	// In GBK the second bytes of these are [ and a backslash.
	r.plant("gbk/誟.txt", "gbk/媆x", "gbk/中")
	c.do("200", "SITE CHARSET GBK")
	if got := names(c.get("NLST gbk/?.txt")); got != "gbk/\xd5\x5b.txt" {
		t.Errorf("in GBK: %q", got)
	}
	if got := names(c.get("NLST gbk/\x8b\x5c*")); got != "gbk/\x8b\x5cx" {
		t.Errorf("in GBK: %q", got)
	}
}

func TestSortedListings(t *testing.T) {
	r := newRig(t, nil)
	c := r.login("alice")
	for i, name := range []string{"b", "d", "a", "c"} {
		c.put("226", "STOR "+name, make([]byte, []int{5, 50, 5, 500}[i]))
		c.do("213", "MFMT 200%d0101000000 %s", i, name)
	}
	for command, want := range map[string]string{
		"LIST -t": "c a d b", "LIST -ltr": "b d a c", "LIST -S": "c d a b", "LIST -Sr": "b a d c", "LIST -r": "d c b a",
		"NLST -t [ab]": "a b", "NLST -1t": "c a d b",
	} {
		if got := names(c.get(command)); got != want {
			t.Errorf("%s: %s, want %s", command, got, want)
		}
	}
}

func TestLinesOfLs(t *testing.T) {
	r := newRig(t, nil)
	c := r.login("alice")
	c.put("226", "STOR old file", make([]byte, 1234))
	c.do("213", "MFMT 19990203040506 old file")
	c.put("226", "STOR new", nil)
	c.do("257", "MKD dir")
	now := `[A-Z][a-z]{2} [ 0-9]\d \d\d:\d\d`
	want := regexp.MustCompile(`^drwxr-xr-x 1 ftp ftp            0 ` + now + " dir\r\n" +
		`-rw-r--r-- 1 ftp ftp            0 ` + now + " new\r\n" +
		`-rw-r--r-- 1 ftp ftp         1234 Feb  3  1999 old file` + "\r\n$")
	if got := c.get("LIST"); !want.MatchString(got) {
		t.Errorf("LIST:\n%s", got)
	}
}

func TestFacts(t *testing.T) {
	r := newRig(t, nil)
	r.plant("f", "dir/f")
	c := r.login("alice")
	c.do("213", "MFMT 20200102030405 f")
	file := regexp.MustCompile(`type=file;perm=adfrw;size=0;modify=20200102030405;unique=([0-9a-f]{1,16});UNIX\.mode=0644; /f\n`)
	dir := regexp.MustCompile(`type=dir;perm=cdeflmp;unique=([0-9a-f]{1,16});UNIX\.mode=0755; `)
	one := file.FindStringSubmatch(c.do("250-", "MLST f"))
	again := file.FindStringSubmatch(c.do("250-", "MLST /dir/../f"))
	if one == nil || !slices.Equal(one, again) {
		t.Errorf("MLST: %q, %q", one, again)
	}
	list := c.get("MLSD")
	if in := dir.FindStringSubmatch(list); in == nil || one == nil || !strings.Contains(list, "unique="+one[1]+";UNIX.mode=0644; f\r\n") {
		t.Errorf("MLSD: %q", list)
	} else if at := dir.FindStringSubmatch(c.do("250-", "MLST dir")); at == nil || at[1] != in[1] {
		t.Errorf("MLST dir: %q, in the listing %q", at, in)
	}
	if got := c.do("250-", "MLST"); !strings.Contains(got, "type=dir;perm=celmp;") || !strings.Contains(got, "; /\n") {
		t.Errorf("MLST of home: %q", got)
	}
	c.put("226", "STOR f", []byte("x"))
	if changed := c.do("250-", "MLST f"); one == nil || strings.Contains(changed, one[1]) {
		t.Errorf("another content: %q, before %q", changed, one)
	}

	if got := c.do("200", "OPTS MLST size;TYPE;nonsense;"); got != "200 MLST OPTS type;size;" {
		t.Error(got)
	}
	if got := c.do("250-", "MLST f"); !strings.Contains(got, "\n type=file;size=1; /f\n") {
		t.Error(got)
	}
	if got := c.get("MLSD"); got != "type=dir; dir\r\ntype=file;size=1; f\r\n" {
		t.Errorf("MLSD: %q", got)
	}
	if got := c.do("211", "FEAT"); !strings.Contains(got, "\n MLST type*;perm;size*;modify;unique;UNIX.mode;\n") {
		t.Error(got)
	}
	if got := c.do("200", "OPTS MLST"); got != "200 MLST OPTS" {
		t.Error(got)
	}
	if got := c.do("250-", "MLST f"); !strings.Contains(got, "\n  /f\n") {
		t.Errorf("no facts: %q", got)
	}
	c.do("550", "MLST missing")
	if got := r.login("bob").do("250-", "MLST"); !strings.Contains(got, "type*") && !strings.Contains(got, "perm=el;") {
		t.Errorf("read only: %q", got)
	}
}

// What the store has listed reaches the client while the store is still listing.
func TestListingStreams(t *testing.T) {
	r := newRig(t, nil)
	for i := range store.PageSize + 10 {
		r.plant(fmt.Sprintf("%04d", i))
	}
	goOn := make(chan struct{}, 1)
	r.files.Entry = func(o store.Object) error {
		if o.Key == fmt.Sprintf("alice/%04d", store.PageSize+5) {
			<-goOn
		}
		return nil
	}
	c := r.login("alice")
	for _, command := range []string{"LIST", "NLST", "MLSD"} {
		conn := c.passive()
		c.do("150", "%s", command)
		data := bufio.NewReader(conn)
		for line := ""; !strings.HasSuffix(line, fmt.Sprintf("%04d\r\n", store.PageSize-1)); {
			var err error
			if line, err = data.ReadString('\n'); err != nil {
				goOn <- struct{}{}
				t.Fatalf("%s: %v", command, err)
			}
		}
		goOn <- struct{}{}
		if rest, err := io.ReadAll(data); err != nil || strings.Count(string(rest), "\n") != 10 {
			t.Errorf("%s: %q, %v", command, rest, err)
		}
		c.expect("226")
	}
}

// A listing that breaks off is never taken for a whole one.
func TestListingBreaksOff(t *testing.T) {
	r := newRig(t, nil)
	for i := range 2*store.PageSize + 1 {
		r.plant(fmt.Sprintf("%04d", i))
	}
	r.files.Entry = func(o store.Object) error {
		if o.Key == fmt.Sprintf("alice/%04d", 2*store.PageSize) {
			return store.Unavailable(io.ErrUnexpectedEOF)
		}
		return nil
	}
	c := r.login("alice")
	for _, command := range []string{"LIST", "NLST", "MLSD", "NLST *0", "LIST -R", "LIST -t"} {
		data := c.passive()
		c.do("150", "%s", command)
		_, _ = io.Copy(io.Discard, data)
		c.expect("451")
	}
}

// A store that does not answer does not hold up ABOR.
func TestListingAborted(t *testing.T) {
	r := newRig(t, nil)
	asked := make(chan struct{}, 1)
	r.files.Before = func(ctx context.Context, call storetest.Call) error {
		if call.Op != "List" {
			return nil
		}
		asked <- struct{}{}
		<-ctx.Done()
		return ctx.Err()
	}
	c := r.login("alice")
	for _, command := range []string{"LIST", "NLST *.txt", "MLSD"} {
		c.passive()
		c.send("%s", command)
		<-asked
		c.send("ABOR")
		c.expect("426")
		c.expect("226")
	}
}

// What would have to be kept in memory is bounded; what need not be is not.
func TestListingOfTooMany(t *testing.T) {
	const most = 50_000
	for _, c := range []struct {
		command string
		entries int
		want    string
	}{
		{"LIST -t", most, "226"}, {"LIST -t", most + 1, "504"}, {"NLST -r", most + 1, "504"},
		{"NLST", most + 1, "226"}, {"LIST -R", most + 1, "504"},
	} {
		r := newRig(t, nil)
		r.files.Store = manyDirs{r.files.Store, c.entries}
		client := r.login("alice")
		data := client.passive()
		client.do("150", "%s", c.command)
		_, _ = io.Copy(io.Discard, data)
		client.expect(c.want)
	}
}

// manyDirs is a store of n directories.
type manyDirs struct {
	store.Store
	n int
}

func (m manyDirs) List(_ context.Context, prefix string, _ store.ListOptions) iter.Seq2[store.Object, error] {
	return func(yield func(store.Object, error) bool) {
		for i := range m.n {
			if !yield(store.Object{Key: fmt.Sprintf("%s%06d/", prefix, i), Prefix: true}, nil) {
				return
			}
		}
	}
}
