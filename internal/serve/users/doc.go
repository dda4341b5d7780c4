// Package users says who may do what through the doors of the daemon: users, their secrets and their rights, which are the
// same at every door. It opens nothing and logs nothing.
package users
