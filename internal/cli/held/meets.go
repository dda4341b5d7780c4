package held

import (
	"github.com/apntalk/amictl/internal/objects"
	"github.com/apntalk/amictl/pkg/ami"
	"github.com/apntalk/amictl/pkg/ami/state"
)

// Meets reports whether an object meets a condition over its keys. One that is of no part does not.
func Meets(where *ami.Where, node string, o state.Object) bool {
	p := objects.PartOf(o.Kind())
	return p != nil && where.MatchFields(node, objects.Fields(p.Record(o)))
}

// ParseWhere reads a condition over the keys of parts.
func ParseWhere(text string, parts ...*objects.Part) (*ami.Where, error) {
	where, err := ami.ParseWhere(text)
	if err != nil {
		return nil, err
	}
	return where, checkWhere(where, parts)
}
