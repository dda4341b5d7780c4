package main

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// A schema is what of a JSON Schema is promised to who reads such objects.
type schema struct {
	Type       string             `json:"type"`
	Const      any                `json:"const"`
	Enum       []string           `json:"enum"`
	Pattern    string             `json:"pattern"`
	Properties map[string]*schema `json:"properties"`
	Required   []string           `json:"required"`
	Values     *schema            `json:"additionalProperties"`
	Items      *schema            `json:"items"`
}

func schemaChanges(old, now string) ([]change, error) {
	before, err := readSchemas(old)
	if err != nil {
		return nil, err
	}
	after, err := readSchemas(now)
	if err != nil {
		return nil, err
	}
	return compareKeys("", before, after, nil), nil
}

// readSchemas reads the schemas of a tree, by the names of their objects.
func readSchemas(dir string) (map[string]*schema, error) {
	files, err := filepath.Glob(filepath.Join(dir, "docs", "schema", "*.json"))
	if err != nil {
		return nil, err
	}
	all := make(map[string]*schema)
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			return nil, err
		}
		s := &schema{}
		if err := json.Unmarshal(text, s); err != nil {
			return nil, fmt.Errorf("%s: %w", file, err)
		}
		all[strings.TrimSuffix(filepath.Base(file), ".json")] = s
	}
	return all, nil
}

// compareKeys compares the keys of an object, or, without a path, all objects.
func compareKeys(path string, before, after map[string]*schema, also []change) []change {
	prefix := path
	if path != "" {
		prefix += "."
	}
	for _, key := range slices.Sorted(maps.Keys(before)) {
		if after[key] == nil {
			also = append(also, schemaChange(prefix+key, true, "is gone"))
			continue
		}
		also = append(also, compareSchema(prefix+key, before[key], after[key])...)
	}
	for _, key := range slices.Sorted(maps.Keys(after)) {
		if before[key] == nil {
			also = append(also, schemaChange(prefix+key, false, "is new"))
		}
	}
	return also
}

func compareSchema(path string, before, after *schema) (all []change) {
	breaks := func(format string, args ...any) {
		all = append(all, schemaChange(path, true, fmt.Sprintf(format, args...)))
	}
	if before.Type != after.Type {
		breaks("its type is %q, and was %q", after.Type, before.Type)
	}
	if before.Const != after.Const {
		breaks("it is %v, and was %v", after.Const, before.Const)
	}
	if before.Pattern != after.Pattern {
		breaks("its form is %q, and was %q", after.Pattern, before.Pattern)
	}
	for _, word := range before.Enum {
		if len(after.Enum) > 0 && !slices.Contains(after.Enum, word) {
			breaks("it is never %q any more", word)
		}
	}
	for _, word := range after.Enum {
		if len(before.Enum) > 0 && !slices.Contains(before.Enum, word) {
			all = append(all, schemaChange(path, false, fmt.Sprintf("it may be %q", word)))
		}
	}
	for _, key := range before.Required {
		if after.Properties[key] != nil && !slices.Contains(after.Required, key) {
			all = append(all, schemaChange(path+"."+key, true, "it may be absent"))
		}
	}
	all = compareKeys(path, before.Properties, after.Properties, all)
	for _, inner := range []struct {
		path          string
		before, after *schema
	}{{path + "[]", before.Items, after.Items}, {path + ".*", before.Values, after.Values}} {
		if inner.before != nil && inner.after != nil {
			all = append(all, compareSchema(inner.path, inner.before, inner.after)...)
		}
	}
	return all
}

func schemaChange(path string, breaking bool, what string) change {
	word := strings.TrimRight(path, "[].*")
	return change{part: "schema", name: path, word: word[strings.LastIndex(word, ".")+1:], what: what, breaking: breaking}
}
