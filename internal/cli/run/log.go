package run

import (
	"log/slog"

	"github.com/apntalk/amictl/pkg/ami/redact"
)

// Redactor hides secrets, and what the configuration's patterns match, in what the run shows or records.
func (r *Run) Redactor() *redact.Redactor {
	r.hideOnce.Do(func() {
		cfg := redact.Config{}
		if r.Settings != nil {
			cfg.Patterns = r.Settings.Config.Redact
		}
		hide, err := redact.New(cfg)
		if err != nil {
			panic(err) // loadConfig has tried the patterns
		}
		r.hide = hide
	})
	return r.hide
}

// Logger is where --verbose says what connections do.
func (r *Run) Logger() *slog.Logger {
	r.logOnce.Do(func() {
		r.log = slog.New(slog.NewTextHandler(r.Stderr, &slog.HandlerOptions{ReplaceAttr: r.Redactor().Attr}))
	})
	return r.log
}
