package held

import (
	"time"

	"github.com/apntalk/amictl/internal/objects"
	"github.com/apntalk/amictl/pkg/ami"
	"github.com/apntalk/amictl/pkg/ami/state"
)

// Meets reports whether an object meets a condition over its keys at a moment. One that is of no part does not.
func Meets(where *ami.Where, node string, o state.Object, at time.Time) bool {
	p := objects.PartOf(o.Kind())
	return p != nil && where.MatchFields(node, p.Fields(p.Record(o), at))
}

// ParseWhere reads a condition over the keys of parts.
func ParseWhere(text string, parts ...*objects.Part) (*ami.Where, error) {
	where, err := ami.ParseWhere(text)
	if err != nil {
		return nil, err
	}
	return where, checkWhere(where, parts)
}
