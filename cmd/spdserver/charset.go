package main

import (
	"bufio"
	"bytes"
	"cmp"
	"encoding/hex"
	"encoding/json"
	"errors"
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
	Error      string  `json:"error,omitempty"` // the line is no name
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
			"its text and the confidence: 1 for a charset that was set, 0 for no decision.\n" +
			"A line that is not hex is answered with an error, and the exit status is 1.",
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

// detectLines answers each line of in with one of out. A line that is no name is answered with
// what is wrong, and the error is of the first such line.
func detectLines(in io.Reader, out io.Writer, newDetector func() *encoding.Detector, session bool) error {
	buffered := bufio.NewWriter(out)
	answers := json.NewEncoder(buffered)
	answers.SetEscapeHTML(false)

	lines := bufio.NewReaderSize(in, maxNameLine)
	detector := newDetector()
	var wrong error
	for number := 1; ; number++ {
		line, cut, err := lines.ReadLine()
		if errors.Is(err, io.EOF) {
			return errors.Join(wrong, buffered.Flush())
		}
		if err != nil {
			return errors.Join(wrong, buffered.Flush(), fmt.Errorf("read file names: %w", err))
		}
		var answer charsetAnswer
		if name, err := readName(lines, line, cut); err != nil {
			err = fmt.Errorf("line %d is %w", number, err)
			answer.Error = err.Error()
			wrong = cmp.Or(wrong, err)
		} else {
			if !session {
				detector = newDetector()
			}
			r := detector.Readings(name)[0]
			answer = charsetAnswer{Charset: r.Charset, UTF8: r.Text, Confidence: r.Confidence}
		}
		if err := answers.Encode(answer); err != nil {
			return fmt.Errorf("write the answer to line %d: %w", number, err)
		}
	}
}

// readName returns the name that line means. If the line is only the beginning of one that is
// too long, its rest is skipped.
func readName(lines *bufio.Reader, line []byte, cut bool) (string, error) {
	if cut {
		for cut {
			_, cut, _ = lines.ReadLine() // an error comes again
		}
		return "", fmt.Errorf("longer than %d bytes", maxNameLine)
	}
	name, err := hex.DecodeString(string(bytes.TrimSpace(line)))
	if err != nil {
		return "", fmt.Errorf("not hex: %w", err)
	}
	return string(name), nil
}
