package server

import (
	"crypto/tls"
	"go/ast"
	"go/parser"
	"go/token"
	"strconv"
	"strings"
	"testing"
)

// handledVerbs are the verbs of the handler table, read from its source.
func handledVerbs(t *testing.T) []string {
	t.Helper()
	file, err := parser.ParseFile(token.NewFileSet(), "commands.go", nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	var verbs []string
	for _, decl := range file.Decls {
		if f, ok := decl.(*ast.FuncDecl); !ok || f.Name.Name != "handler" {
			continue
		}
		ast.Inspect(decl, func(n ast.Node) bool {
			if clause, ok := n.(*ast.CaseClause); ok {
				for _, e := range clause.List {
					if lit, ok := e.(*ast.BasicLit); ok {
						verb, _ := strconv.Unquote(lit.Value)
						verbs = append(verbs, verb)
					}
				}
			}
			return true
		})
	}
	return verbs
}

func helpOf(s *session, arg string) string {
	conn := &replyConn{}
	s.conn = conn
	s.doHelp(command{"HELP", arg})
	return conn.out.String()
}

func TestHelpKnowsEveryCommand(t *testing.T) {
	s := &session{}
	verbs := handledVerbs(t)
	if len(verbs) < 60 {
		t.Fatalf("only %q found", verbs)
	}
	list := helpOf(s, "")
	for _, verb := range verbs {
		reply, listed := helpOf(s, strings.ToLower(verb)), strings.Contains(list, " "+verb+" ")
		switch verb {
		case "SITE":
			if !listed || !strings.HasPrefix(reply, "214-") {
				t.Errorf("SITE: %q, listed: %v", reply, listed)
			}
		case "ACCT", "SMNT", "ADAT", "CONF", "ENC", "MIC", "LPRT", "LPSV": // answered 502
			if listed || !strings.HasPrefix(reply, "502 ") {
				t.Errorf("%s: %q, listed: %v", verb, reply, listed)
			}
		default:
			if !listed || !strings.HasPrefix(reply, "214 Syntax: "+verb) {
				t.Errorf("%s: %q, listed: %v", verb, reply, listed)
			}
		}
	}
	for _, arg := range []string{"NONSENSE", "\x00", strings.Repeat("x", 8000)} {
		if reply := helpOf(s, arg); !strings.HasPrefix(reply, "502 Unknown command") || len(reply) > 60 {
			t.Errorf("%.10q: %q", arg, reply)
		}
	}
}

// What FEAT lists is a command, an option of OPTS, or says something of all commands.
func TestFeaturesAreHandled(t *testing.T) {
	s := &session{server: &Server{Options: Options{ActiveMode: true, TLS: &tls.Config{}}}}
	for _, feature := range s.features() {
		verb, _, _ := strings.Cut(feature, " ")
		if _, ok := s.handler(verb); !ok && verb != "UTF8" && verb != "TVFS" {
			t.Errorf("%s is no command", feature)
		}
		if strings.ContainsAny(feature, "\r\n") || strings.TrimSpace(feature) != feature {
			t.Errorf("%q is no line of FEAT", feature)
		}
	}
}
