package main

import (
	"fmt"
	"log/slog"
	"os"
	"time"

	"github.com/spdscheme/spdserver/audit"
	"github.com/spdscheme/spdserver/config"
)

// auditFlush is how long the end of the program waits for the last events.
const auditFlush = 5 * time.Second

// openAudit returns the audit trail, or nil for none.
func openAudit(cfg config.Audit, log *slog.Logger) (*audit.Log, error) {
	switch cfg.File {
	case "":
		return nil, nil
	case "-":
		return audit.New(log, audit.NewJSONSink(os.Stdout)), nil
	}
	sink, err := audit.OpenJSONFile(cfg.File)
	if err != nil {
		return nil, fmt.Errorf("audit.file: %w", err)
	}
	return audit.New(log, sink), nil
}
