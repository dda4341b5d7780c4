package cond

import (
	"regexp"
	"strings"
	"sync"

	"github.com/apntalk/amictl/pkg/ami"
	"github.com/apntalk/amictl/pkg/ami/wire"
)

// emptyList is how Asterisk says Error when a list that was asked for has nothing in it (manager actions of
// app_confbridge, app_meetme, app_voicemail, res_pjsip, res_parking and others).
var emptyList = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(`(?i)^(no (active )?(\w+ )?(endpoints?|aors?|auths?|contacts?|identifies|registrations?|subscriptions?|conferences?|rooms|channels|users|sessions|resource ?lists?|agents|queues|bridges|parked calls|parking lots|entries|results)( (were |are )?(found|defined|active|available|exist))?|there are no .*)\W*$`)
})

// SaysEmpty reports whether a response is an Error that only means an empty list, which --empty-ok takes for 0 items.
func SaysEmpty(r *ami.Reply) bool {
	return wire.EqualFold(r.Name(), "Error") && MeansEmpty(r.Get("Message"))
}

// MeansEmpty reports whether the Message of an Error only means that a list is empty.
func MeansEmpty(message string) bool { return emptyList().MatchString(strings.TrimSpace(message)) }
