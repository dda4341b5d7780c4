package contexts

import (
	"cmp"
	"context"
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/urfave/cli/v3"

	"github.com/apntalk/amictl/internal/cli/config"
	"github.com/apntalk/amictl/internal/cli/fail"
	"github.com/apntalk/amictl/internal/cli/run"
)

// remove takes a context out of the configuration.
func remove(_ context.Context, r *run.Run, o *options) error {
	if len(o.args) != 1 {
		return fail.Usage(listHint, "context remove takes one name")
	}
	cfg, name := r.Settings.Config, o.args[0]
	if cfg.Contexts[name] == nil {
		return noContext(r, name)
	}
	if err := config.EditConfig(cfg.Path, func(text string) (string, error) { return config.WithoutContext(text, name) }); err != nil {
		return err
	}
	r.Note("%s: context %s removed", cfg.Path, name)
	if cfg.Context == name {
		r.Note("it was the current one; `amictl context use NAME` chooses another")
	}
	return nil
}

// rename gives a context another name.
func rename(_ context.Context, r *run.Run, o *options) error {
	if len(o.args) != 2 || o.args[1] == "" {
		return fail.Usage("such as `amictl context rename lab test`", "context rename takes the old name and the new one")
	}
	cfg, name, to := r.Settings.Config, o.args[0], o.args[1]
	switch {
	case cfg.Contexts[name] == nil:
		return noContext(r, name)
	case cfg.Contexts[to] != nil:
		return fail.Usage(listHint, "there is a context %q already", to)
	}
	if err := config.EditConfig(cfg.Path, func(text string) (string, error) { return config.WithContextRenamed(text, name, to) }); err != nil {
		return err
	}
	r.Note("%s: context %s is now %s", cfg.Path, name, to)
	return nil
}

func editCommand(r *run.Run) *cli.Command {
	return r.Tell(&cli.Command{
		Name: "edit", Usage: "open the configuration in an editor",
		Description: "Examples:\n  amictl context edit\n  EDITOR=nano amictl context edit\n\n" +
			"The editor is that of VISUAL or EDITOR, else vi. The result is checked before it replaces the configuration. If it is\ninvalid you may edit it again. Changes that are not stored stay in a file beside the configuration.",
		Action: func(ctx context.Context, _ *cli.Command) error { return edit(ctx, r) },
	}, run.About{Config: run.ConfigMayBeBroken})
}

// errChanged says that somebody else was quicker.
var errChanged = errors.New("the configuration was changed meanwhile")

// edit opens a copy of the configuration in an editor, and stores it if it is right. What was typed is lost in no case.
func edit(ctx context.Context, r *run.Run) (err error) {
	path, _ := r.ConfigPath()
	if err := config.CheckPlace(path); err != nil {
		return err
	}
	before, err := os.ReadFile(path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fail.Config(fail.ReadHint, "the config cannot be read: %v", err)
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return fail.Config(fail.WriteHint, "the config cannot be written: %v", err)
	}
	copied, err := os.CreateTemp(filepath.Dir(path), "edit-*.toml") // in its folder: what is relative in it stays right
	if err != nil {
		return fail.Config(fail.WriteHint, "the config cannot be edited: %v", err)
	}
	defer func() {
		text, readErr := os.ReadFile(copied.Name())
		if err == nil || readErr != nil || string(text) == string(before) {
			_ = os.Remove(copied.Name())
			return
		}
		const kept = "your changes are kept "
		own := new(fail.Error)
		switch said := errors.As(err, &own) && !run.BySignal(ctx); {
		case said && strings.Contains(own.Message, copied.Name()):
			own.Message += "; " + kept + "there"
		case said:
			own.Message += "; " + kept + "in " + copied.Name()
		default:
			r.Complain(fail.Failure{Message: kept + "in " + copied.Name()})
		}
	}()
	_, err = copied.Write(before)
	if err := errors.Join(err, copied.Close()); err != nil {
		return fail.Config(fail.WriteHint, "the config cannot be edited: %v", err)
	}
	for {
		if err := openEditor(ctx, r, copied.Name()); err != nil {
			return err
		}
		text, err := os.ReadFile(copied.Name())
		if err != nil {
			return fail.Config(fail.ReadHint, "the edited config cannot be read: %v", err)
		}
		if string(text) == string(before) {
			r.Note("%s: nothing was changed", path)
			return nil
		}
		if _, err = config.Load(copied.Name()); err == nil {
			return store(r, path, string(before), string(text))
		}
		if !r.CanAsk() {
			return err
		}
		r.Complain(fail.Classify(err))
		if answer, askErr := r.Ask("Edit it again? [Y/n] "); askErr != nil || strings.HasPrefix(strings.ToLower(answer), "n") {
			return err
		}
	}
}

// editorGrace is how long an editor may take to end when it is told to.
const editorGrace = 5 * time.Second

// store writes what was edited, unless somebody else has changed the configuration meanwhile.
func store(r *run.Run, path, before, text string) error {
	err := config.EditConfig(path, func(now string) (string, error) {
		if now != before {
			return "", errChanged
		}
		return text, nil
	})
	if errors.Is(err, errChanged) {
		return fail.Config("edit it again", "%v, and nothing was stored", err)
	}
	if err == nil {
		r.Note("%s: stored", path)
	}
	return err
}

// openEditor waits for the editor, which has the terminal: what a key of it sends is for the editor alone. Any other signal
// ends the editor, too.
func openEditor(ctx context.Context, r *run.Run, path string) error {
	visual, _ := r.Env("VISUAL")
	editor, _ := r.Env("EDITOR")
	program := strings.Fields(cmp.Or(strings.TrimSpace(visual), strings.TrimSpace(editor), "vi"))
	c := exec.CommandContext(ctx, program[0], append(program[1:], path)...)
	c.Stdin, c.Stdout, c.Stderr = r.Stdin, r.Stdout, r.Stderr
	c.Cancel = func() error { return c.Process.Signal(syscall.SIGTERM) } // editors save what they have
	c.WaitDelay = editorGrace
	r.OnInterrupt(func(sig syscall.Signal, _ func()) bool { return run.FromTerminal(sig) })
	defer r.OnInterrupt(nil)
	patience := r.Patience.Swap(run.Indefinitely)
	defer r.Patience.Store(patience)
	if err := c.Run(); err != nil {
		return fail.Config("VISUAL and EDITOR name the editor", "the editor %s: %v; nothing was stored", program[0], err)
	}
	return nil
}
