package config

import (
	"os"
	"path/filepath"
	"slices"

	"github.com/apntalk/amictl/internal/cli/fail"
	"github.com/apntalk/amictl/internal/serve/users/spec"
	"github.com/apntalk/amictl/internal/tomlfile"
)

// A Daemon is what `amictl serve` alone reads of a configuration: a mistake in it stops no other command.
type Daemon struct {
	Serve Serve       `toml:"serve"`
	Users []spec.User `toml:"users"` // of its doors
}

// Serve is what `amictl serve` does unless its flags say otherwise. A key has the name of its flag, with _ for -.
type Serve struct {
	HTTP            string   `toml:"http"`
	AMI             []string `toml:"ami"` // [NODE=]ADDR
	Users           string   `toml:"users"`
	Cert            string   `toml:"cert"`
	Key             string   `toml:"key"`
	Grace           string   `toml:"grace"`
	Require         string   `toml:"require"`
	Log             string   `toml:"log"`
	Pprof           string   `toml:"pprof"`
	EndpointMetrics bool     `toml:"endpoint_metrics"`
	Each            []string `toml:"each"` // globs of events
}

// usersHint says where somebody finds out what a file of users looks like.
const usersHint = "`amictl serve --help` has an example of [serve] and [[users]]"

// Daemon reads what is for `amictl serve`. What is relative in it is relative to the configuration's folder.
func (c *File) Daemon() (*Daemon, error) {
	d := &Daemon{}
	unknown, err := tomlfile.Decode(c.text, d)
	unknown = slices.DeleteFunc(unknown, func(u tomlfile.Unknown) bool { return len(u.Key) == 1 }) // which Load knows
	if err := decodeError("config "+c.Path, usersHint, unknown, err); err != nil {
		return nil, err
	}
	for _, path := range []*string{&d.Serve.Users, &d.Serve.Cert, &d.Serve.Key, &d.Serve.Pprof} {
		anchorPath(filepath.Dir(c.Path), path)
	}
	return d, anchorUsers("config "+c.Path, c.Path, c.info, d.Users)
}

// LoadUsers reads a file of users, which is trusted as a configuration is. What is relative in it is relative to its folder.
func LoadUsers(path string) ([]spec.User, error) {
	text, info, err := read(path)
	if err != nil {
		return nil, fail.Config(usersHint, "the users cannot be read: %s", fail.Cause(err))
	}
	var file struct {
		Users []spec.User `toml:"users"`
	}
	unknown, err := tomlfile.Decode(text, &file)
	if err := decodeError("users "+path, usersHint, unknown, err); err != nil {
		return nil, err
	}
	if len(file.Users) == 0 {
		return nil, fail.Config(usersHint, "users %s: there are none", path)
	}
	return file.Users, anchorUsers("users "+path, path, info, file.Users)
}

// anchorUsers refuses users whose secrets stand in the file itself, and makes the others' independent of the current folder.
func anchorUsers(file, path string, info os.FileInfo, users []spec.User) error {
	for i := range users {
		u := &users[i]
		if err := checkSecret(file, info, "users."+u.Name+".secret", u.Secret); err != nil {
			return err
		}
		anchorSecret(filepath.Dir(path), &u.Secret)
	}
	return nil
}
