package amitest

import "fmt"

// Version is a version of Asterisk that the simulator imitates.
type Version struct {
	// Major is the series: 13, 16 or 22.
	Major int
	// Asterisk is the full version as CoreSettings gives it.
	Asterisk string
	// AMI is the version in the banner.
	AMI string
}

// The versions that are imitated. 22 and 16 are compared with real servers; 13
// is written from its source and unverified.
var (
	Version22 = Version{22, "22.10.1", "11.0.0"}
	Version16 = Version{16, "16.28.0", "5.0.4"}
	Version13 = Version{13, "13.38.3", "2.10.6"}
)

// ParseVersion returns the version of a series: "22", "16" or "13".
func ParseVersion(s string) (Version, error) {
	switch s {
	case "22":
		return Version22, nil
	case "16":
		return Version16, nil
	case "13":
		return Version13, nil
	}
	return Version{}, fmt.Errorf("amitest: version %q is not one of 22, 16, 13", s)
}

// legacy says whether Command answers Follows and lists lack their EventList
// header, as up to series 13.
func (v Version) legacy() bool { return v.Major <= 13 }

// advancedFilters says whether filters may have criteria.
func (v Version) advancedFilters() bool { return v.Major >= 18 }
