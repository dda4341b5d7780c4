package act

import (
	"strings"

	"github.com/apntalk/amictl/internal/cli/run"
	"github.com/apntalk/amictl/pkg/ami"
)

// ParseWhere joins conditions: several flags mean and. It is nil without any. What looks like a mistake is said.
func ParseWhere(r *run.Run, conditions []string) (where *ami.Where, err error) {
	for _, text := range conditions {
		w, err := ami.ParseWhere(text)
		if err != nil {
			return nil, err
		}
		where = where.And(w)
	}
	for _, w := range where.Warnings() {
		r.Note("%s", strings.TrimPrefix(w.Error(), "ami: "))
	}
	return where, nil
}

// NoteMissing names the fields that a condition asked for and nothing had: they may be misspelt.
func NoteMissing(r *run.Run, where *ami.Where) {
	for _, field := range where.Missing() {
		r.Note("nothing that came had a field %s, which the condition asks for", field)
	}
}
