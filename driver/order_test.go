package driver

import (
	"cmp"
	"errors"
	"fmt"
	"iter"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/spdscheme/spdserver/store"
)

// listed is what a store lists of a directory: names, of directories with a slash behind.
func listed(dir string, names []string) []store.Object {
	var objects []store.Object
	for _, name := range names {
		objects = append(objects, store.Object{Key: dir + name, Prefix: strings.HasSuffix(name, "/")})
	}
	slices.SortFunc(objects, func(a, b store.Object) int { return cmp.Compare(a.Key, b.Key) })
	return slices.Compact(objects)
}

func each(objects []store.Object) iter.Seq2[store.Object, error] {
	return func(yield func(store.Object, error) bool) {
		for _, o := range objects {
			if !yield(o, nil) {
				return
			}
		}
	}
}

// byNameOf orders a listing, and tells how often it asked for a directory.
func byNameOf(t *testing.T, objects []store.Object, dir, head string) (names []string, asked int) {
	t.Helper()
	find := func(key string) (store.Object, error) {
		asked++
		i := slices.IndexFunc(objects, func(o store.Object) bool { return o.Key == key })
		if i < 0 {
			return store.Object{}, nil
		}
		return objects[i], nil
	}
	for o, err := range byName(each(objects), dir, head, find) {
		if err != nil {
			t.Fatal(err)
		}
		names = append(names, strings.TrimPrefix(o.Key, dir))
	}
	return names, asked
}

// sorted puts names in order: as if directories had no slash behind, files first.
func sorted(objects []store.Object, dir string) []string {
	var names []string
	for _, o := range objects {
		names = append(names, strings.TrimPrefix(o.Key, dir))
	}
	slices.SortFunc(names, func(a, b string) int {
		return cmp.Or(cmp.Compare(strings.TrimSuffix(a, "/"), strings.TrimSuffix(b, "/")), len(a)-len(b))
	})
	return names
}

func TestByName(t *testing.T) {
	for _, c := range []string{
		"", "a", "a/", "a a/", "a-b a/", "a-b a.txt a/ a0", "a a- a-/ a-b/ a/", "-/ - -- ./x", "-a .a ..a",
		"a-b-c a-b/ a/", "a-b-c/ a-b/ a/", "a b-c b/ c", "a-1 a-1-2 a-1.3 a-1/ a.1/ a/", "é-x é/ é",
	} {
		objects := listed("dir/", strings.Fields(c))
		got, asked := byNameOf(t, objects, "dir/", "")
		if want := sorted(objects, "dir/"); !slices.Equal(got, want) || asked != 0 {
			t.Errorf("%q: %q, want %q; asked %d times", c, got, want, asked)
		}
	}
}

// Any directory comes out in order, with few names held back.
func TestByNameOfAny(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	const letters = "a-./0 z" // of these / ends a name
	for range 2000 {
		var names []string
		for range random.IntN(60) {
			name := make([]byte, 1+random.IntN(6))
			for i := range name {
				name[i] = letters[random.IntN(len(letters))]
			}
			whole, rest, isDir := strings.Cut(string(name), "/")
			if checkComponent(whole) != nil {
				continue
			}
			if isDir || rest != "" {
				whole += "/"
			}
			names = append(names, whole)
		}
		objects := listed("", names)
		if got, want := first(byNameOf(t, objects, "", "")), sorted(objects, ""); !slices.Equal(got, want) {
			t.Fatalf("%q:\n got %q\nwant %q", names, got, want)
		}
	}
}

func first[A, B any](a A, _ B) A { return a }

// Where thousands of names would wait for a directory, it is looked for once.
func TestByNameOfMany(t *testing.T) {
	var names []string
	for i := range 3 * heldMost {
		names = append(names, fmt.Sprintf("IMG-2024-%05d.jpg", i), fmt.Sprintf("sub-%05d/", i))
	}
	for _, c := range []struct {
		more  []string
		head  string
		asked int
	}{
		{nil, "", 3},
		{[]string{"IMG/", "sub/"}, "", 3},
		{[]string{"IMG-2024/", "IMG-2024-00007/", "sub", "sub-00007-x"}, "", 3},
		{[]string{"IMG/", "IMG-2024/", "IMG-2024.txt"}, "", 3},
		{[]string{"IMG", "IMG-2024", "IMG.txt", "IMG0", "z/"}, "", 3},
	} {
		objects := listed("d/", append(slices.Clone(names), c.more...))
		got, asked := byNameOf(t, objects, "d/", c.head)
		if want := sorted(objects, "d/"); !slices.Equal(got, want) || asked != c.asked {
			t.Errorf("with %q: in order %v, asked %d times, want %d", c.more, slices.Equal(got, want), asked, c.asked)
		}
	}
	// With what all names begin with, no shorter directory can come.
	objects := listed("d/", names[:0:0])
	for i := range 2 * heldMost {
		objects = append(objects, store.Object{Key: fmt.Sprintf("d/IMG-%05d", i)})
	}
	if got, asked := byNameOf(t, objects, "d/", "IMG-"); len(got) != len(objects) || asked != 0 {
		t.Errorf("%d names, asked %d times", len(got), asked)
	}
}

// Entries come while the store is still listing.
func TestByNameHoldsFew(t *testing.T) {
	read, most, yielded := 0, 0, 0
	objects := func(yield func(store.Object, error) bool) {
		for i := range 20 * heldMost {
			read++
			most = max(most, read-yielded)
			if !yield(store.Object{Key: fmt.Sprintf("a-b-%06d", i)}, nil) {
				return
			}
		}
	}
	for range byName(objects, "", "", func(string) (store.Object, error) { return store.Object{}, nil }) {
		yielded++
	}
	if yielded != 20*heldMost || most > heldMost+2 {
		t.Errorf("%d entries; at most %d were held back, want %d", yielded, most, heldMost)
	}
}

func TestByNameFails(t *testing.T) {
	broken := errors.New("broken")
	objects := listed("", strings.Fields("a b c-d"))
	failing := func(yield func(store.Object, error) bool) {
		if each(objects)(yield); yield(store.Object{}, broken) {
			t.Error("goes on behind an error")
		}
	}
	var last error
	for _, err := range byName(failing, "", "", nil) {
		if last != nil {
			t.Error("goes on behind an error")
		}
		last = err
	}
	if !errors.Is(last, broken) {
		t.Errorf("ends with %v", last)
	}
	for range byName(each(objects), "", "", nil) {
		break // must not be called again
	}
}
