package users_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/apntalk/amictl/internal/serve/users"
	"github.com/apntalk/amictl/pkg/ami/redact"
)

// load makes users whose references are their secrets.
func load(specs ...users.Spec) ([]*users.User, error) {
	return users.Load(specs, func(reference string) (redact.Secret, error) {
		if reference == "missing" {
			return redact.Secret{}, errors.New("no such file")
		}
		return redact.NewSecret(strings.TrimPrefix(reference, "is:")), nil
	})
}

// Everybody without a name is the same one, so that what is made for each user is made once.
func TestReaderIsOne(t *testing.T) {
	if first := users.Reader(); first != users.Reader() {
		t.Error("there are two readers")
	}
}

func TestLoadRefuses(t *testing.T) {
	for _, c := range []struct {
		name, want string
		specs      []users.Spec
	}{
		{"no name", "no name", []users.Spec{{Secret: "is:a"}}},
		{"no secret", "has no secret", []users.Spec{{Name: "a"}}},
		{"an empty secret", "is empty", []users.Spec{{Name: "a", Secret: "is:"}}},
		{"a secret that is not there", "no such file", []users.Spec{{Name: "a", Secret: "missing"}}},
		{"a name twice", "two users", []users.Spec{{Name: "a", Secret: "is:1"}, {Name: "a", Secret: "is:2"}}},
		{"a secret twice", "the same secret", []users.Spec{{Name: "a", Secret: "is:1"}, {Name: "b", Secret: "is:1"}}},
		{"a name that no login carries", "CR or LF", []users.Spec{{Name: "a\nb", Secret: "is:1"}}},
		{"a rate below nothing", "rate", []users.Spec{{Name: "a", Secret: "is:1", Rate: -1}}},
		{"an empty glob", "is empty", []users.Spec{{Name: "a", Secret: "is:1", Events: []string{" "}}}},
		{"commands without Command", "not among its actions", []users.Spec{{Name: "a", Secret: "is:1", Commands: []string{"core"}}}},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := load(c.specs...)
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("%v", err)
			}
		})
	}
}

func TestDirectory(t *testing.T) {
	must := func(specs ...users.Spec) []*users.User {
		t.Helper()
		list, err := load(specs...)
		if err != nil {
			t.Fatal(err)
		}
		return list
	}
	d := users.NewDirectory(must(users.Spec{Name: "a", Secret: "is:1"}, users.Spec{Name: "b", Secret: "is:2"}))
	a, b := d.ByName("a"), d.ByName("b")
	if a == nil || d.ByName("A") != nil || d.ByToken("1") != a || d.ByToken("2") != b || d.ByToken("") != nil || d.ByToken("3") != nil || d.Needless() {
		t.Fatal("who is who")
	}
	changed := d.Changed()
	d.Replace(must(users.Spec{Name: "a", Secret: "is:1", Actions: []string{"Ping"}}, users.Spec{Name: "b", Secret: "is:3"}))
	select {
	case <-changed:
	default:
		t.Error("nobody was told of new users")
	}
	if now := d.Still(a); now == nil || now == a || !now.MayName("Ping") {
		t.Error("who stays has the rights of now")
	}
	if d.Still(b) != nil {
		t.Error("who has another secret is somebody else")
	}
	d.Replace(nil)
	if d.Still(a) != nil || d.Needless() || !users.NewDirectory(nil).Needless() {
		t.Error("who has gone is still there")
	}
}
