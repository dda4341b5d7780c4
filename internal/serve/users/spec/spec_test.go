package spec_test

import (
	"reflect"
	"testing"

	"github.com/apntalk/amictl/internal/serve/users/spec"
	"github.com/apntalk/amictl/internal/tomlfile"
)

// The example has every key, and no other.
func TestExample(t *testing.T) {
	var file struct {
		Users []spec.User `toml:"users"`
	}
	unknown, err := tomlfile.Decode(spec.Example, &file)
	if err != nil || len(unknown) > 0 || len(file.Users) != 1 {
		t.Fatal(unknown, err)
	}
	for i, v := 0, reflect.ValueOf(file.Users[0]); i < v.NumField(); i++ {
		if v.Field(i).IsZero() {
			t.Errorf("the example does not say %s", v.Type().Field(i).Tag.Get("toml"))
		}
	}
}
