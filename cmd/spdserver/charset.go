package main

import (
	"bufio"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"github.com/spdscheme/spdserver/encoding"
)

// maxNameLine is the longest line of hex that is read, in bytes.
const maxNameLine = 1 << 20

// charsetAnswer is a line that the command prints.
type charsetAnswer struct {
	Charset    string  `json:"charset"`
	UTF8       string  `json:"utf8"`
	Confidence float64 `json:"confidence"`
}

// newCharsetCommand shows what SPD makes of file names: a line of hex each on standard
// input, a line of JSON each on standard output.
func newCharsetCommand() *cobra.Command {
	var hints []string
	var session bool
	cmd := &cobra.Command{
		Use:   "charset",
		Short: "Show which charset SPD takes file names for",
		Long: "Reads file names, one a line in hex, and prints for each the charset it is taken for,\n" +
			"its text and the confidence: 1 for a charset that was set, 0 for no decision.",
		Example: "  printf '%s\\n' d6d0cec4 | spdserver charset --hint GBK",
		Args:    noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			for _, hint := range hints {
				if _, err := encoding.Lookup(hint); err != nil {
					return fmt.Errorf("--hint: %w", err)
				}
			}
			newDetector := func() *encoding.Detector {
				return encoding.NewDetector(encoding.Hints{Server: strings.Join(hints, ",")})
			}
			return detectLines(cmd.InOrStdin(), cmd.OutOrStdout(), newDetector, session)
		},
	}
	cmd.Flags().StringArrayVar(&hints, "hint", nil, "charset to assume in doubt; repeat it, best first")
	cmd.Flags().BoolVar(&session, "session", false, "the lines are the names of one client, in order")
	return cmd
}

// detectLines answers each line of in with one of out.
func detectLines(in io.Reader, out io.Writer, newDetector func() *encoding.Detector, session bool) error {
	buffered := bufio.NewWriter(out)
	answers := json.NewEncoder(buffered)
	answers.SetEscapeHTML(false)

	lines := bufio.NewScanner(in)
	lines.Buffer(nil, maxNameLine)
	detector := newDetector()
	for number := 1; lines.Scan(); number++ {
		name, err := hex.DecodeString(strings.TrimSpace(lines.Text()))
		if err != nil {
			_ = buffered.Flush() // the error that matters is the one of the line
			return fmt.Errorf("line %d is not hex: %w", number, err)
		}
		if !session {
			detector = newDetector()
		}
		r := detector.Readings(string(name))[0]
		if err := answers.Encode(charsetAnswer{r.Charset, r.Text, r.Confidence}); err != nil {
			return fmt.Errorf("write the answer to line %d: %w", number, err)
		}
	}
	if err := lines.Err(); err != nil {
		return fmt.Errorf("read file names: %w", err)
	}
	return buffered.Flush()
}
