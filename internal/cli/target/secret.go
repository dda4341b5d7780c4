package target

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"

	"github.com/apntalk/amictl/internal/cli/config"
	"github.com/apntalk/amictl/internal/cli/fail"
	"github.com/apntalk/amictl/internal/cli/run"
	"github.com/apntalk/amictl/pkg/ami"
	"github.com/apntalk/amictl/pkg/ami/wire"
)

// SecretFrom returns the provider for a reference: file:PATH, env:NAME, cmd:COMMAND or cred:NAME (a systemd
// credential). It is asked at each login, so that a changed secret is picked up.
func SecretFrom(r *run.Run, reference string) (ami.SecretProvider, error) {
	kind, what, _ := strings.Cut(reference, ":")
	if what == "" {
		return nil, fail.Config("file:PATH, env:NAME, cmd:COMMAND or cred:NAME", "the secret reference %q is not valid", reference)
	}
	switch kind {
	case "file":
		path, err := ExpandHome(r, what)
		return fileSecret(path), err
	case "env":
		return func(context.Context) (ami.Secret, error) {
			v, ok := r.Env(what)
			if !ok || v == "" {
				return ami.Secret{}, fail.Config("export it, or use another reference", "the variable %s, which should hold the secret, is not set", what)
			}
			return ami.NewSecret(v), nil
		}, nil
	case "cred":
		dir, ok := r.Env("CREDENTIALS_DIRECTORY")
		if !ok || dir == "" {
			return nil, fail.Config("systemd sets it for a unit with LoadCredential=", "the secret %s needs CREDENTIALS_DIRECTORY, which is not set", reference)
		}
		return fileSecret(filepath.Join(dir, filepath.Base(what))), nil
	}
	return func(ctx context.Context) (ami.Secret, error) { return secretFromCommand(ctx, r, what) }, nil
}

// longestSecret bounds what is read of a secret, in bytes.
const longestSecret = 64 << 10

// fileSecret returns the provider for a file. A file is read at each login, anything else, such as the pipe of
// --secret-file <(pass pbx), once for all: it has nothing more to say to a second node or a second login.
func fileSecret(path string) ami.SecretProvider {
	pipe := sync.OnceValue(func() *lateSecret { return readLate(path) })
	return func(ctx context.Context) (ami.Secret, error) {
		info, err := os.Stat(path)
		if err == nil && !info.Mode().IsRegular() {
			return pipe().wait(ctx)
		}
		return secretFromFile(path)
	}
}

// A lateSecret comes from what may take its time to say it.
type lateSecret struct {
	path   string
	done   chan struct{}
	secret ami.Secret // valid when done is closed, as is err
	err    error
}

// readLate begins to read. The goroutine ends when the pipe's other end does, or with the process.
func readLate(path string) *lateSecret {
	l := &lateSecret{path: path, done: make(chan struct{})}
	go func() {
		defer close(l.done)
		l.secret, l.err = secretFromFile(path)
	}()
	return l
}

func (l *lateSecret) wait(ctx context.Context) (ami.Secret, error) {
	select {
	case <-l.done:
		return l.secret, l.err
	case <-ctx.Done():
		return ami.Secret{}, fail.Config("the program that writes to it must write something and close it", "nothing was written to the secret file %s", l.path)
	}
}

// secretFromFile reads a secret: the first line of a file that others may not read.
func secretFromFile(path string) (ami.Secret, error) {
	const hint = "it holds the secret alone, mode 600"
	info, err := os.Stat(path)
	if err != nil {
		return ami.Secret{}, fail.Config(hint, "the secret file cannot be read: %v", err)
	}
	if info.Mode().IsRegular() && config.Readable(info) {
		return ami.Secret{}, fail.Config("chmod 600 "+path, "the secret file %s may be read by others", path)
	}
	f, err := os.Open(path)
	if err != nil {
		return ami.Secret{}, fail.Config(hint, "the secret file cannot be read: %v", err)
	}
	defer func() { _ = f.Close() }()
	text, err := io.ReadAll(io.LimitReader(f, longestSecret))
	if err != nil {
		return ami.Secret{}, fail.Config(hint, "the secret file cannot be read: %v", err)
	}
	return firstLine(text, "the secret file "+path)
}

func firstLine(text []byte, what string) (ami.Secret, error) {
	line, _, _ := bytes.Cut(text, []byte("\n"))
	line = bytes.TrimSuffix(line, []byte("\r"))
	if len(line) == 0 {
		return ami.Secret{}, fail.Config("its first line is the secret", "%s is empty", what)
	}
	return ami.NewSecret(string(line)), nil
}

// carried refuses a secret that no line of AMI can hold, whatever the login puts on the line: no server can have it either.
func carried(node string, ask ami.SecretProvider) ami.SecretProvider {
	return func(ctx context.Context) (ami.Secret, error) {
		s, err := ask(ctx)
		if err != nil {
			return s, err
		}
		var field *wire.FieldError
		if errors.As(wire.CheckField("Secret", s.Reveal()), &field) {
			return ami.Secret{}, fail.Config("is it the right file, variable or command? A secret is one line of text", "the secret of %s cannot be sent: it %v", node, field.Err)
		}
		return s, nil
	}
}

// flagSecret returns the provider that --secret-file, --secret-stdin or AMICTL_SECRET_FILE ask for, or nil.
func flagSecret(r *run.Run) (ami.SecretProvider, error) {
	file := r.Settings.SecretFile
	if r.Flags.SecretStdin {
		if r.Flags.SecretFile != "" {
			return nil, fail.Usage("leave one of them out", "--secret-file and --secret-stdin do not go together")
		}
		in, err := r.ClaimStdin("--secret-stdin")
		if err != nil {
			return nil, err
		}
		read := sync.OnceValues(func() (ami.Secret, error) {
			text, err := io.ReadAll(io.LimitReader(run.NewStoppable(in, r.Stopped), longestSecret))
			if err != nil {
				return ami.Secret{}, fail.Config("its first line is the secret", "the secret cannot be read from standard input: %v", err)
			}
			return firstLine(text, "standard input")
		})
		return func(context.Context) (ami.Secret, error) { return read() }, nil
	}
	if file == "" {
		return nil, nil
	}
	path, err := ExpandHome(r, file)
	return fileSecret(path), err
}

// TakeSecret returns the provider that the flags and the environment ask for, nil if they do not, for a use of its own: the nodes
// of this run have those of the configuration.
func TakeSecret(r *run.Run) (ami.SecretProvider, error) {
	ask, err := flagSecret(r)
	r.Settings.SecretFile, r.Flags.SecretStdin, r.Secret = "", false, nil
	return ask, err
}

// ExpandHome puts the home folder in the place of a leading ~.
func ExpandHome(r *run.Run, path string) (string, error) {
	rest, ok := strings.CutPrefix(path, "~/")
	if !ok {
		return path, nil
	}
	home := r.Home()
	if home == "" {
		return "", fail.Config("set HOME, or write the whole path", "%s: there is no home folder", path)
	}
	return filepath.Join(home, rest), nil
}
