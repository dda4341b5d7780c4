package act

import (
	"strings"
)

// LiveClasses are the classes of an action in ListCommands, without "all", which stands behind every one.
func LiveClasses(text string) []string {
	_, privilege, _ := strings.Cut(text, "(Priv: ")
	classes := []string{}
	for class := range strings.SplitSeq(strings.TrimSuffix(strings.TrimSpace(privilege), ")"), ",") {
		if class != "" && class != "all" && class != "<none>" {
			classes = append(classes, class)
		}
	}
	return classes
}
