package main

import (
	"bytes"
	"strings"
	"testing"
)

func TestCharsetCommand(t *testing.T) {
	for _, test := range []struct {
		name, in string
		args     []string
		want     string
		err      string
	}{
		{name: "names by themselves", in: "612e747874\nd6d0cec4c3fbb3c6\n\ne4b8ad\n", args: []string{"--hint", "cp1251", "--hint", "GBK"},
			want: `{"charset":"windows-1251","utf8":"a.txt","confidence":0}
{"charset":"GBK","utf8":"中文名称","confidence":0.999}
{"charset":"windows-1251","utf8":"","confidence":0}
{"charset":"UTF-8","utf8":"中","confidence":0.999}
`},
		{name: "a session", in: "d6d0cec4c3fbb3c6\nd2bbd0a9\n", args: []string{"--session", "--hint", "GBK"},
			want: `{"charset":"GBK","utf8":"中文名称","confidence":0.999}
{"charset":"GBK","utf8":"一些","confidence":0.999}
`},
		{name: "capitals and ends of lines of Windows", in: " D6D0cec4C3FBB3C6\r\n\r\n61",
			want: `{"charset":"GBK","utf8":"中文名称","confidence":0.999}
{"charset":"UTF-8","utf8":"","confidence":0}
{"charset":"UTF-8","utf8":"a","confidence":0}
`},
		{name: "no hex", in: "61\n6g\n616\n62\n", err: "line 2 is not hex",
			want: `{"charset":"UTF-8","utf8":"a","confidence":0}
{"charset":"","utf8":"","confidence":0,"error":"line 2 is not hex: encoding/hex: invalid byte: U+0067 'g'"}
{"charset":"","utf8":"","confidence":0,"error":"line 3 is not hex: encoding/hex: odd length hex string"}
{"charset":"UTF-8","utf8":"b","confidence":0}
`},
		{name: "too long", in: strings.Repeat("61", maxNameLine) + "\n62\n", err: "line 1 is longer than 1048576 bytes",
			want: `{"charset":"","utf8":"","confidence":0,"error":"line 1 is longer than 1048576 bytes"}
{"charset":"UTF-8","utf8":"b","confidence":0}
`},
		{name: "unknown hint", args: []string{"--hint", "klingon"}, err: "unknown charset"},
	} {
		t.Run(test.name, func(t *testing.T) {
			var out bytes.Buffer
			cmd := newCharsetCommand()
			cmd.SetIn(strings.NewReader(test.in))
			cmd.SetOut(&out)
			cmd.SetArgs(test.args)
			cmd.SilenceUsage, cmd.SilenceErrors = true, true
			err := cmd.Execute()
			if out.String() != test.want {
				t.Errorf("printed\n%swant\n%s", out.String(), test.want)
			}
			if (err == nil) != (test.err == "") || (err != nil && !strings.Contains(err.Error(), test.err)) {
				t.Errorf("error %v, want %q", err, test.err)
			}
		})
	}
}
