package report

import (
	"reflect"
	"strings"

	"github.com/apntalk/amictl/pkg/output"
)

// safe returns a copy in which no text can do anything to a terminal or a table. A result is a file that may come from
// anybody, and its names come from servers.
func safe[T any](v *T) *T {
	out := safeValue(reflect.ValueOf(v))
	return out.Interface().(*T)
}

func safeValue(v reflect.Value) reflect.Value {
	out := reflect.New(v.Type()).Elem()
	out.Set(v)
	switch v.Kind() {
	case reflect.String:
		out.SetString(strings.ReplaceAll(output.Safe(v.String()), "\t", " "))
	case reflect.Pointer:
		if !v.IsNil() {
			out.Set(reflect.New(v.Type().Elem()))
			out.Elem().Set(safeValue(v.Elem()))
		}
	case reflect.Slice:
		if !v.IsNil() {
			out.Set(reflect.MakeSlice(v.Type(), v.Len(), v.Len()))
			for i := range v.Len() {
				out.Index(i).Set(safeValue(v.Index(i)))
			}
		}
	case reflect.Map:
		if !v.IsNil() {
			out.Set(reflect.MakeMap(v.Type()))
			for key, value := range v.Seq2() {
				out.SetMapIndex(safeValue(key), safeValue(value))
			}
		}
	case reflect.Struct:
		for i := range v.NumField() {
			if out.Field(i).CanSet() { // what is not exported came from no file
				out.Field(i).Set(safeValue(v.Field(i)))
			}
		}
	}
	return out
}
