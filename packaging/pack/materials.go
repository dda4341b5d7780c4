package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
)

// materials takes out of a CycloneDX bill of materials what its maker says of its own binary, which is another one on another
// machine.
func materials(file string) error {
	text, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	var bill map[string]any
	if err := json.Unmarshal(text, &bill); err != nil {
		return fmt.Errorf("%s: %w", file, err)
	}
	metadata, _ := bill["metadata"].(map[string]any)
	tools, ok := metadata["tools"].([]any)
	if !ok || len(tools) == 0 {
		return fmt.Errorf("%s does not say what made it", file)
	}
	for _, t := range tools {
		if t, ok := t.(map[string]any); ok {
			delete(t, "hashes")
		}
	}
	var b bytes.Buffer
	w := json.NewEncoder(&b)
	w.SetIndent("", "  ")
	w.SetEscapeHTML(false)
	if err := w.Encode(bill); err != nil {
		return err
	}
	return os.WriteFile(file, b.Bytes(), 0o644)
}
