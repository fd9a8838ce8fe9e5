package server

import (
	"fmt"
	"strconv"
	"strings"
)

// command is a command line, taken apart.
type command struct {
	verb string // upper case
	arg  string // the client's bytes, spaces kept
}

// line is the command as the engine reads it.
func (c command) line() string {
	if c.arg == "" {
		return c.verb
	}
	return c.verb + " " + c.arg
}

// engineLine is the longest line in bytes that is given to the engine. It closes the
// connection at 4,096, line end included.
const engineLine = 4000

// tooLongLine stands for a line that was dropped.
const tooLongLine = "\x00too long"

func parseCommand(line string) command {
	verb, arg, _ := strings.Cut(line, " ")
	verb = strings.ToUpper(verb)
	for _, urgent := range []string{"ABOR", "STAT", "QUIT"} {
		// Clients put a Telnet Synch before these, and its data mark may stay.
		if strings.HasSuffix(verb, urgent) && len(verb) > len(urgent) && verb[0] >= 0x80 {
			verb = urgent
		}
	}
	return command{verb: verb, arg: arg}
}

// duringTransfer tells whether a command may be executed beside a transfer.
func duringTransfer(c command) bool {
	return c.verb == "ABOR" || c.verb == "NOOP" || c.verb == "STAT" && c.arg == ""
}

// dispatch executes a command line, or returns what the engine is to execute in its
// place.
func (s *session) dispatch(line string) (forward string) {
	if line == tooLongLine {
		s.reply("500 Command line too long")
		return ""
	}
	c := parseCommand(line)
	if c.verb == "" {
		s.reply("500 No command given")
		return ""
	}
	if !duringTransfer(c) {
		if !s.waitTransfer() {
			return ""
		}
		s.verb = c.verb
	}
	if handle, ok := s.handler(c.verb); ok {
		forward = handle(c)
	} else {
		forward = c.line()
	}
	if len(forward) > engineLine {
		s.reply("500 Command line too long")
		return ""
	}
	if forward != "" && !duringTransfer(c) {
		s.verb = parseCommand(forward).verb
	}
	return forward
}

// handler finds what the session does with a verb before, or instead of, the engine.
func (s *session) handler(verb string) (func(command) (forward string), bool) {
	switch verb {
	case "USER":
		return s.doUser, true
	case "PASS":
		return s.doPass, true
	case "AUTH":
		return s.doAuth, true
	case "PBSZ":
		return s.doPbsz, true
	case "PROT":
		return s.doProt, true
	case "CCC":
		return s.answer("533 The control connection stays protected"), true
	case "FEAT":
		return s.doFeat, true
	case "OPTS":
		return s.doOpts, true
	case "NOOP":
		return s.answer("200 OK"), true
	case "STRU":
		return s.onlyParameter("F"), true
	case "MODE":
		return s.onlyParameter("S"), true
	case "XCUP":
		return rename("CDUP"), true
	case "RETR", "STOR", "APPE", "MLSD", "LIST", "NLST":
		return s.doTransfer, true
	case "PASV", "EPSV":
		return s.doPassive, true
	case "PORT", "EPRT":
		return s.doActive, true
	case "ABOR":
		return s.doAbor, true
	case "TYPE":
		return s.doType, true
	case "REST":
		return s.doRest, true
	case "ALLO":
		return s.doAllo, true
	case "MDTM":
		return s.doMdtm, true
	case "HASH", "XCRC", "MD5", "XMD5", "XSHA", "XSHA1", "XSHA256", "XSHA512":
		return s.doHash, true
	case "SIZE", "DELE", "MKD", "XMKD", "RMD", "XRMD", "RNFR", "RNTO", "CWD", "XCWD":
		return s.needsArgument, true
	}
	return nil, false
}

// reply sends a reply of the session's own. Its text may have more than one line.
func (s *session) reply(format string, args ...any) {
	s.writing.Lock()
	defer s.writing.Unlock()
	_ = s.send([]byte(fmt.Sprintf(format, args...) + "\r\n")) // a client that is gone is noticed by run
}

// doOpts fixes the charset of file names by OPTS UTF8 ON (RFC 2640, and the draft that
// clients follow); other options are the engine's.
func (s *session) doOpts(c command) string {
	option, value, _ := strings.Cut(strings.ToUpper(c.arg), " ")
	switch {
	case option != "UTF8" && option != "UTF-8":
		return c.line()
	case value == "" || value == "ON" || value == "NLST":
		s.utf8 = true
		s.fixCharset()
		s.reply("200 File names are in UTF-8")
	case value == "OFF":
		s.utf8 = false
		s.reply("200 File names are in whatever charset they come in")
	default:
		s.reply("501 Use OPTS UTF8 ON or OPTS UTF8 OFF")
	}
	return ""
}

// fixCharset tells the driver what OPTS UTF8 ON has said, which may come before the login.
func (s *session) fixCharset() {
	if !s.utf8 || s.files == nil {
		return
	}
	if err := s.files.Names.Fix("UTF-8"); err != nil {
		s.log.Warn("charset not fixed", "err", err)
	}
}

func (s *session) answer(reply string) func(command) string {
	return func(command) string {
		s.reply("%s", reply)
		return ""
	}
}

func rename(verb string) func(command) string {
	return func(c command) string { return command{verb, c.arg}.line() }
}

// onlyParameter is for STRU and MODE: one value is supported, which is the default.
func (s *session) onlyParameter(value string) func(command) string {
	return func(c command) string {
		if !s.loggedIn() {
			return ""
		}
		if strings.EqualFold(c.arg, value) {
			s.reply("200 %s is %s", c.verb, value)
		} else {
			s.reply("504 Only %s %s is supported", c.verb, value)
		}
		return ""
	}
}

// loggedIn refuses a command that needs a login.
func (s *session) loggedIn() bool {
	if s.account == nil {
		s.reply("530 Please log in with USER and PASS")
	}
	return s.account != nil
}

func (s *session) needsArgument(c command) string {
	if !s.loggedIn() {
		return ""
	}
	if c.arg == "" {
		s.reply("501 %s needs a path", c.verb)
		return ""
	}
	return c.line()
}

// withoutListOptions takes options as of ls from the argument of LIST and NLST; clients
// send them, though no RFC knows them.
func withoutListOptions(arg string) string {
	for strings.HasPrefix(arg, "-") {
		options, path, _ := strings.Cut(arg, " ")
		if strings.Trim(options[1:], "aAlLRrtTSsh1FdCn") != "" {
			return arg // a file of that name
		}
		arg = path
	}
	return arg
}

// doRest checks the restart point (RFC 3659, 5).
func (s *session) doRest(c command) string {
	if !s.loggedIn() {
		return ""
	}
	n, err := strconv.ParseInt(c.arg, 10, 64)
	switch {
	case err != nil || n < 0:
		s.reply("501 REST needs a number of bytes")
	case s.ascii && n > 0:
		s.reply("501 REST counts bytes as stored; use TYPE I first")
	default:
		s.rest = n
		s.reply("350 The next transfer begins at byte %d", n)
	}
	return ""
}

// doType notes the representation type for transfers (RFC 959, 3.1.1).
func (s *session) doType(c command) string {
	if !s.loggedIn() {
		return ""
	}
	switch strings.ReplaceAll(strings.ToUpper(c.arg), " ", "") {
	case "I", "L8":
		s.ascii = false
	case "A", "AN":
		s.ascii = true
	default:
		s.reply("504 Only TYPE I and TYPE A are supported")
		return ""
	}
	return c.line() // SIZE depends on it
}

// doAllo takes the record size from "n R m" (RFC 959); files here have no records.
func (s *session) doAllo(c command) string {
	if !s.loggedIn() {
		return ""
	}
	if s.ascii { // what comes is not what is stored
		s.reply("202 ALLO means nothing in TYPE A")
		return ""
	}
	size, _, _ := strings.Cut(c.arg, " ")
	if n, err := strconv.ParseInt(size, 10, 64); err != nil || n < 0 {
		s.reply("501 ALLO needs a number of bytes")
		return ""
	}
	return command{c.verb, size}.line()
}

// doMdtm makes "MDTM time path", by which some clients set a time, the MFMT that it means
// (draft-somers-ftp-mfxx).
func (s *session) doMdtm(c command) string {
	if !s.loggedIn() {
		return ""
	}
	when, path, _ := strings.Cut(c.arg, " ")
	if len(when) == len("YYYYMMDDhhmmss") && isNumber(when) && path != "" {
		return command{"MFMT", c.arg}.line()
	}
	return s.needsArgument(c)
}

// doHash quotes the path of HASH, XCRC and their like: the engine cuts unquoted ones at
// spaces. "path" START END keeps its range.
func (s *session) doHash(c command) string {
	if !s.loggedIn() {
		return ""
	}
	if c.arg == "" {
		s.reply("501 %s needs a path", c.verb)
		return ""
	}
	if strings.HasPrefix(c.arg, `"`) {
		return c.line()
	}
	path, limits := c.arg, ""
	if words := strings.Split(c.arg, " "); len(words) > 2 && c.verb != "HASH" {
		if n := len(words); isNumber(words[n-1]) && isNumber(words[n-2]) {
			path, limits = strings.Join(words[:n-2], " "), " "+words[n-2]+" "+words[n-1]
		}
	}
	return command{c.verb, `"` + strings.ReplaceAll(path, `"`, `""`) + `"` + limits}.line()
}

func isNumber(s string) bool {
	return s != "" && strings.Trim(s, "0123456789") == ""
}

// doFeat lists the extensions (RFC 2389).
func (s *session) doFeat(command) string {
	features := []string{"AVBL", "CLNT", "EPRT", "EPSV",
		"HASH SHA-256*;SHA-512;SHA-1;MD5;CRC32", "MDTM", "MFMT", "MLST Type*;Size*;Modify*;",
		"REST STREAM", "SIZE", "TVFS", "UTF8", "XCRC", "XMD5", "XSHA1", "XSHA256", "XSHA512"}
	if s.server.TLS != nil {
		features = append([]string{"AUTH TLS", "PBSZ", "PROT"}, features...)
	}
	s.reply("211-Features:\r\n %s\r\n211 End", strings.Join(features, "\r\n "))
	return ""
}
