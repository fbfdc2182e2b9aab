package main

import (
	"encoding/json"
	"net/netip"
	"os"
	"path/filepath"
)

// The API learns a pod's address some time after its containers run. What the network plugins gave it is on disk
// before the first of them starts, so that no pod runs a moment without its policies.

// result is what libcni keeps of one attachment (its cniCacheV1).
type result struct {
	NetworkName string      `json:"networkName"`
	Arguments   [][2]string `json:"cniArgs"`
	Result      struct {
		Addresses []struct {
			Address string `json:"address"`
		} `json:"ips"`
	} `json:"result"`
}

// readAddresses gives the addresses of every pod, by NAMESPACE/NAME, of one network.
func readAddresses(folder string, network string) map[string][]string {
	found := map[string][]string{}
	files, _ := filepath.Glob(filepath.Join(folder, network+"-*"))
	for _, file := range files {
		content, err := os.ReadFile(file)
		var attached result
		// Half written: the rest of it is an event of its own.
		if err != nil || json.Unmarshal(content, &attached) != nil || attached.NetworkName != network {
			continue
		}
		values := map[string]string{}
		for _, pair := range attached.Arguments {
			values[pair[0]] = pair[1]
		}
		pod := values["K8S_POD_NAMESPACE"] + "/" + values["K8S_POD_NAME"]
		for _, one := range attached.Result.Addresses {
			if prefix, err := netip.ParsePrefix(one.Address); err == nil {
				found[pod] = append(found[pod], prefix.Addr().String())
			}
		}
	}
	return found
}
