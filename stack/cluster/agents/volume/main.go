// volume makes and removes the folder of a persistent volume. The local-path provisioner runs it in a pod of its own
// as setupCommand and teardownCommand; with it no image with a shell is needed.
package main

import (
	"fmt"
	"os"
	"path/filepath"
)

// Any user's pod may write to its own volume; what is not the pod's is behind the folder above, which is 0700.
const mode = 0o777

func run(folder string, action string) error {
	if !filepath.IsAbs(folder) || filepath.Clean(folder) == "/" {
		return fmt.Errorf("VOL_DIR %q is no folder of a volume", folder)
	}
	switch action {
	case "create":
		if err := os.MkdirAll(folder, mode); err != nil {
			return err
		}
		return os.Chmod(folder, mode) // whatever the umask is
	case "delete":
		return os.RemoveAll(folder)
	}
	return fmt.Errorf("action %q is neither create nor delete", action)
}

func main() {
	action := ""
	for i := 1; i+1 < len(os.Args); i++ {
		if os.Args[i] == "-a" {
			action = os.Args[i+1]
		}
	}
	if err := run(os.Getenv("VOL_DIR"), action); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
