package server

import (
	"fmt"
	"strings"
)

// command is a command line, taken apart.
type command struct {
	verb string // upper case
	arg  string // the client's bytes, spaces kept
}

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

// beforeLogin tells whether a command may be executed before the login.
func beforeLogin(c command) bool {
	switch c.verb {
	case "USER", "PASS", "ACCT", "REIN", "QUIT", "HOST", "AUTH", "PBSZ", "PROT", "CCC",
		"FEAT", "OPTS", "HELP", "LANG", "CLNT", "SYST", "NOOP", "ABOR":
		return true
	case "STAT":
		return c.arg == ""
	}
	return false
}

// takesWords tells the commands whose parameters are words: spaces around these mean nothing,
// while those around a name belong to it.
func takesWords(verb string) bool {
	switch verb {
	case "TYPE", "MODE", "STRU", "REST", "ALLO", "PORT", "EPRT", "EPSV",
		"AUTH", "PBSZ", "PROT", "HOST", "LANG", "OPTS", "HELP":
		return true
	}
	return false
}

// dispatch executes a command line.
func (s *session) dispatch(line string) {
	c := parseCommand(line)
	s.isDue(c.verb)
	if s.saysTooMuch() {
		s.farewellNow("421 Too many commands before the login; connect again")
		return
	}
	if line == tooLongLine {
		s.reply("500 Command line too long")
		return
	}
	if c.verb == "" {
		s.reply("500 No command given")
		return
	}
	if takesWords(c.verb) {
		c.arg = strings.Trim(c.arg, " ")
	}
	s.verb = c.verb
	handle, ok := s.handler(c.verb)
	switch {
	case !ok:
		s.reply("500 Unknown command %s", shown(c.verb))
	case beforeLogin(c) || s.loggedIn():
		handle(c)
	}
}

// handler finds what executes a verb. A verb that is not here is unknown.
func (s *session) handler(verb string) (func(command), bool) {
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
	case "HELP":
		return s.doHelp, true
	case "LANG":
		return s.doLang, true
	case "HOST":
		return s.doHost, true
	case "SYST":
		return s.answer("215 UNIX Type: L8"), true
	case "NOOP":
		return s.answer("200 OK"), true
	case "CLNT":
		return s.doClnt, true
	case "STRU":
		return s.onlyParameter("F"), true
	case "MODE":
		return s.onlyParameter("S"), true
	case "TYPE":
		return s.doType, true
	case "RETR", "STOR", "APPE":
		return s.onPath(s.doTransfer), true
	case "STOU":
		return s.doStou, true
	case "MLSD", "LIST", "NLST":
		return s.doTransfer, true
	case "PASV":
		return s.doPasv, true
	case "EPSV":
		return s.doEpsv, true
	case "PORT", "EPRT":
		return s.doActive, true
	case "ABOR":
		return s.doAbor, true
	case "REST":
		return s.doRest, true
	case "ALLO":
		return s.doAllo, true
	case "PWD", "XPWD":
		return s.doPwd, true
	case "CWD", "XCWD":
		return s.onPath(s.doCwd), true
	case "CDUP", "XCUP":
		return s.doCdup, true
	case "MKD", "XMKD":
		return s.onPath(s.doMkd), true
	case "RMD", "XRMD":
		return s.onPath(s.doRmd), true
	case "DELE":
		return s.onPath(s.doDele), true
	case "SIZE":
		return s.onPath(s.doSize), true
	case "AVBL":
		return s.doAvbl, true
	case "MDTM":
		return s.onPath(s.doMdtm), true
	case "MFMT":
		return s.doMfmt, true
	case "MFF":
		return s.doMff, true
	case "HASH", "XCRC", "MD5", "XMD5", "XSHA", "XSHA1", "XSHA256", "XSHA512":
		return s.onPath(s.doHash), true
	case "SITE":
		return s.doSite, true
	case "RNFR":
		return s.onPath(s.doRnfr), true
	case "RNTO":
		return s.onPath(s.doRnto), true
	case "MLST":
		return s.doMlst, true
	case "STAT":
		return s.doStat, true
	case "REIN":
		return s.doRein, true
	case "QUIT":
		return s.doQuit, true
	case "ACCT", "SMNT", "ADAT", "CONF", "ENC", "MIC", "LPRT", "LPSV":
		return s.answer("502 Command not implemented"), true
	}
	return nil, false
}

// loggedIn refuses a command that needs a login.
func (s *session) loggedIn() bool {
	if s.account == nil {
		s.reply("530 Please log in with USER and PASS")
	}
	return s.account != nil
}

// answer is for commands that are always answered the same.
func (s *session) answer(reply string) func(command) {
	return func(command) {
		s.reply("%s", reply)
	}
}

// onPath is for commands that need an argument, a path most of the time.
func (s *session) onPath(do func(command)) func(command) {
	return func(c command) {
		if c.arg == "" {
			s.reply("501 %s needs a path", c.verb)
			return
		}
		do(c)
	}
}

// reply sends a reply of the session's own. Its text may have more than one line. What a
// client must not find in a reply, such as a line end out of a file's name, does not get
// into it.
func (s *session) reply(format string, args ...any) {
	lines := strings.Split(fmt.Sprintf(format, args...), "\r\n")
	for i, line := range lines {
		lines[i] = printable(line)
	}
	s.replyAsIs(strings.Join(lines, "\r\n"))
}

// replyAsIs sends a reply whose text is known to be good.
func (s *session) replyAsIs(text string) {
	s.writing.Lock()
	defer s.writing.Unlock()
	_ = s.send([]byte(text + "\r\n")) // a client that is gone is noticed by who reads
}

// printable is a line with a question mark in place of each control character. Bytes above
// ASCII may be anything in the client's charset, and stay.
func printable(line string) string {
	if strings.IndexFunc(line, isControl) < 0 {
		return line
	}
	b := []byte(line)
	for i, c := range b {
		if isControl(rune(c)) {
			b[i] = '?'
		}
	}
	return string(b)
}

func isControl(c rune) bool { return c < ' ' && c != '\t' || c == 0x7f }

// shown is as much of what a client has said as it gets back.
func shown(text string) string {
	const most = 20
	b := []byte(printable(text))
	for i, c := range b {
		if c >= 0x80 {
			b[i] = '?'
		}
	}
	return string(b[:min(len(b), most)])
}
