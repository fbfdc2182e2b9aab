package main

import (
	"fmt"
	"sort"
	"strings"
)

// Base chains. A refused connection gets an answer at once (connect: "No route to host"), where a dropped one would
// let its caller wait; nobody listening says "Connection refused", so the two can be told apart. What was refused in
// the last ten minutes can be read: nft list set inet netpol refused. What belongs to no connection (a last packet of one
// that is over) is not translated to a pod's address any more, so no policy can judge it: it is dropped.
const base = ` set refused {
  type ipv4_addr . ipv4_addr . inet_proto . inet_service
  size 4096
  flags dynamic, timeout
  timeout 10m
 }
 chain refuse {
  ct state invalid drop
  update @refused { ip saddr . ip daddr . meta l4proto . th dport }
  reject with icmpx admin-prohibited
 }
 chain forward {
  type filter hook forward priority filter + 10; policy accept
 }
 chain input {
  type filter hook input priority filter + 10; policy accept
 }
`

// Script is one transaction of nft that replaces the rules of the earlier ones, so that no packet sees half of them.
//
// The node itself reaches every pod (probes of the kubelet): what it sends passes the output hook, which has no rules.
// What a pod sends to the node (the API server, for one) passes the input hook, and its policies count there too.
func Script(rules Rules, earlier []string) string {
	var text strings.Builder
	if earlier == nil {
		text.WriteString("table inet netpol\ndelete table inet netpol\n")
	} else {
		text.WriteString("flush chain inet netpol forward\nflush chain inet netpol input\n")
		for _, chain := range earlier {
			fmt.Fprintf(&text, "flush chain inet netpol %s\ndelete chain inet netpol %s\n", chain, chain)
		}
	}
	text.WriteString("table inet netpol {\n")
	if earlier == nil {
		text.WriteString(base)
	}
	for _, chain := range names(rules) {
		fmt.Fprintf(&text, " chain %s {\n", chain)
		for _, line := range rules.Chains[chain] {
			fmt.Fprintf(&text, "  %s\n", line)
		}
		text.WriteString("  goto refuse\n }\n")
	}
	text.WriteString(" chain forward {\n  ct state established,related accept\n")
	if both := itself(rules); both != "" {
		text.WriteString("  ip saddr . ip daddr " + both + " accept\n") // no policy keeps a pod from itself
	}
	text.WriteString(dispatch("saddr", rules.Out) + dispatch("daddr", rules.In) + " }\n")
	text.WriteString(" chain input {\n  ct state established,related accept\n" + dispatch("saddr", rules.Out) + " }\n}\n")
	return text.String()
}

func names(rules Rules) []string {
	found := make([]string, 0, len(rules.Chains))
	for name := range rules.Chains {
		found = append(found, name)
	}
	sort.Strings(found)
	return found
}

func dispatch(side string, chains map[string]string) string {
	if len(chains) == 0 {
		return ""
	}
	var members []string
	for address, chain := range chains {
		members = append(members, address+" : jump "+chain)
	}
	sort.Strings(members)
	return "  ip " + side + " vmap { " + strings.Join(members, ", ") + " }\n"
}

func itself(rules Rules) string {
	var members []string
	for address := range rules.In {
		members = append(members, address+" . "+address)
	}
	for address := range rules.Out {
		if _, there := rules.In[address]; !there {
			members = append(members, address+" . "+address)
		}
	}
	if len(members) == 0 {
		return ""
	}
	return set(members)
}
