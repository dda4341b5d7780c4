package config

import (
	"path/filepath"

	"github.com/apntalk/amictl/internal/cli/fail"
	"github.com/apntalk/amictl/internal/serve/users/spec"
	"github.com/apntalk/amictl/internal/tomlfile"
)

// Serve is what `amictl serve` does unless its flags say otherwise.
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

// LoadUsers reads a file of users, which is trusted as a configuration is. What is relative in it is relative to its folder.
func LoadUsers(path string) ([]spec.User, error) {
	const hint = "it holds [[users]] with name, secret, events and actions; docs/serve.md has examples"
	text, info, err := read(path)
	if err != nil {
		return nil, fail.Config(hint, "the users cannot be read: %s", fail.Cause(err))
	}
	var file struct {
		Users []spec.User `toml:"users"`
	}
	unknown, err := tomlfile.Decode(text, &file)
	if err != nil {
		return nil, fail.Config(hint, "users %s, %s", path, tomlfile.Explain(err))
	}
	if len(unknown) > 0 {
		return nil, fail.Config(fail.NearHint(unknown[0][len(unknown[0])-1], spec.Keys(), hint), "users %s: unknown key %s", path, unknown[0])
	}
	if len(file.Users) == 0 {
		return nil, fail.Config(hint, "users %s: there are none", path)
	}
	for i := range file.Users {
		u := &file.Users[i]
		if err := checkSecret("users "+path, info, "users."+u.Name+".secret", u.Secret); err != nil {
			return nil, err
		}
		anchorSecret(filepath.Dir(path), &u.Secret)
	}
	return file.Users, nil
}
