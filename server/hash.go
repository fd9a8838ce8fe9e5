package server

import (
	"errors"
	"io/fs"
	"slices"
	"strings"

	"github.com/spdscheme/spdserver/driver"
)

// hashName is an algorithm as HASH calls it.
type hashName struct {
	name string
	algo driver.HashAlgo
}

// hashNames are the algorithms of HASH (draft-bryan-ftpext-hash), the default first.
func hashNames() []hashName {
	return []hashName{
		{"SHA-256", driver.SHA256}, {"SHA-512", driver.SHA512},
		{"SHA-1", driver.SHA1}, {"MD5", driver.MD5}, {"CRC32", driver.CRC32},
	}
}

// hashOf is the algorithm of a command: that of OPTS HASH for HASH, else the one in its
// name.
func (s *session) hashOf(verb string) driver.HashAlgo {
	switch verb {
	case "XCRC":
		return driver.CRC32
	case "XMD5", "MD5":
		return driver.MD5
	case "XSHA1", "XSHA":
		return driver.SHA1
	case "XSHA256":
		return driver.SHA256
	case "XSHA512":
		return driver.SHA512
	}
	return hashNames()[s.hash].algo
}

// hashFeature is the line of FEAT: a star marks the algorithm in use.
func (s *session) hashFeature() string {
	var line strings.Builder
	line.WriteString("HASH ")
	for i, h := range hashNames() {
		line.WriteString(h.name)
		if i == s.hash {
			line.WriteByte('*')
		}
		line.WriteByte(';')
	}
	return line.String()
}

// optsHash chooses the algorithm of HASH, or tells which it is.
func (s *session) optsHash(value string) {
	for i, h := range hashNames() {
		if strings.EqualFold(value, h.name) || value == "" && i == s.hash {
			s.hash = i
			s.reply("200 %s", h.name)
			return
		}
	}
	s.reply("501 Unknown algorithm, current selection not changed")
}

// doHash answers HASH, and XCRC and its like, which may name a part of the file.
func (s *session) doHash(c command) {
	var err error
	for _, target := range hashTargets(c) {
		var info fs.FileInfo
		info, err = s.files.Stat(target.path)
		switch {
		case errors.Is(err, fs.ErrNotExist):
			continue // the same words, understood differently
		case err != nil:
			s.replyError(err)
		case info.IsDir() && c.verb == "HASH":
			s.reply("553 Is a directory") // as its draft says, 3.5
		case info.IsDir():
			s.reply("550 Is a directory")
		default:
			s.hashFile(c, target, info.Size())
		}
		return
	}
	s.replyError(err)
}

func (s *session) hashFile(c command, target hashTarget, size int64) {
	t := &transfer{command: c, inOrder: s.moreSent}
	s.beginTransfer(t)
	defer s.endTransfer(t)
	start, end, ok := target.bounds(size)
	if !ok {
		s.reply("501 The range must be START [END] with START <= END, inside the file")
		return
	}
	digest, err := s.files.ComputeHash(t.ctx, target.path, s.hashOf(c.verb), start, end)
	switch {
	case err != nil && t.aborted():
		s.reply("426 %s aborted", c.verb)
	case err != nil:
		s.replyError(err)
	case c.verb == "HASH":
		s.reply("213 %s %d-%d %s %s", hashNames()[s.hash].name, start, end, digest, target.path)
	case c.verb == "MD5":
		s.reply("251 %s %s", target.path, digest) // draft-twine-ftpmd5
	default:
		s.reply("250 %s", digest)
	}
}

// hashTarget is a file, and the part of it to sum up: words, as the client wrote them.
type hashTarget struct {
	path  string
	limit []string // START and END; neither: the whole file
}

// bounds are the bytes [start, end) of a file of so many bytes. An end behind the file's is
// the file's.
func (t hashTarget) bounds(size int64) (start, end int64, ok bool) {
	limits := [2]int64{0, size}
	for i, word := range t.limit {
		if limits[i], ok = parseSize(word); !ok {
			return 0, 0, false
		}
	}
	start, end = limits[0], min(limits[1], size)
	return start, end, start <= limits[1] && start <= size
}

// hashTargets is what the argument of a command may mean: the file to be tried first comes
// first. Everything may be a name; `"path"`, START and END are the custom of clients.
func hashTargets(c command) []hashTarget {
	whole := hashTarget{path: c.arg}
	if path, rest, ok := cutQuoted(c.arg); ok {
		return []hashTarget{{path, strings.Fields(rest)}, whole}
	}
	if c.verb == "HASH" {
		return []hashTarget{whole}
	}
	targets := []hashTarget{whole}
	words := strings.Split(c.arg, " ")
	for n := 2; n >= 1; n-- {
		last := len(words) - n
		if last > 0 && !slices.ContainsFunc(words[last:], isNoInteger) {
			targets = append(targets, hashTarget{strings.Join(words[:last], " "), words[last:]})
		}
	}
	return targets
}

func isNoInteger(word string) bool { return !isNumber(strings.TrimPrefix(word, "-")) }

// cutQuoted takes a path in quotes, and at most two words behind it. A quote in the path is
// doubled.
func cutQuoted(arg string) (path, rest string, ok bool) {
	for i := 1; strings.HasPrefix(arg, `"`) && i < len(arg); i++ {
		switch {
		case arg[i] != '"':
		case strings.HasPrefix(arg[i:], `""`):
			i++
		default:
			path, rest = strings.ReplaceAll(arg[1:i], `""`, `"`), arg[i+1:]
			return path, rest, (rest == "" || rest[0] == ' ') && len(strings.Fields(rest)) <= 2
		}
	}
	return "", "", false
}
