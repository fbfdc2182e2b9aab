// netpol enforces the NetworkPolicies of a single node with nftables, for test clusters. It watches pods, namespaces
// and policies, computes all rules again on every change (rules.go) and swaps them in one transaction (nft.go).
package main

import (
	"flag"
	"log"
	"os"
	"os/exec"
	"strings"
	"time"

	"github.com/fsnotify/fsnotify"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"
	corelisters "k8s.io/client-go/listers/core/v1"
	netlisters "k8s.io/client-go/listers/networking/v1"
	"k8s.io/client-go/tools/cache"
	"k8s.io/client-go/tools/clientcmd"
)

// Changes come in bursts (a rollout): they are taken together for this long.
const gather = 20 * time.Millisecond

type agent struct {
	pods            corelisters.PodLister
	namespaces      corelisters.NamespaceLister
	policies        netlisters.NetworkPolicyLister
	folder, network string
}

func main() {
	kubeconfig := flag.String("kubeconfig", "", "how to reach the API server")
	folder := flag.String("cni-results", "/var/lib/cni/results", "folder in which libcni keeps its results")
	network := flag.String("cni-network", "", "name of the pods' network")
	flag.Parse()
	config, err := clientcmd.BuildConfigFromFlags("", *kubeconfig)
	if err != nil {
		log.Fatal(err)
	}
	factory := informers.NewSharedInformerFactory(kubernetes.NewForConfigOrDie(config), 0)
	pods, namespaces, policies := factory.Core().V1().Pods(), factory.Core().V1().Namespaces(), factory.Networking().V1().NetworkPolicies()
	changed := make(chan struct{}, 1)
	wake := func() {
		select {
		case changed <- struct{}{}:
		default:
		}
	}
	handler := cache.ResourceEventHandlerFuncs{
		AddFunc: func(any) { wake() }, UpdateFunc: func(any, any) { wake() }, DeleteFunc: func(any) { wake() },
	}
	for _, informer := range []cache.SharedIndexInformer{pods.Informer(), namespaces.Informer(), policies.Informer()} {
		if _, err := informer.AddEventHandler(handler); err != nil {
			log.Fatal(err)
		}
	}
	watchFolder(*folder, wake)
	factory.Start(nil)
	factory.WaitForCacheSync(nil)
	wake()
	a := agent{pods.Lister(), namespaces.Lister(), policies.Lister(), *folder, *network}
	a.follow(changed)
}

func watchFolder(folder string, wake func()) {
	if err := os.MkdirAll(folder, 0o700); err != nil {
		log.Fatal(err)
	}
	watcher, err := fsnotify.NewWatcher()
	if err == nil {
		err = watcher.Add(folder)
	}
	if err != nil {
		log.Fatal(err)
	}
	go func() {
		for {
			select {
			case <-watcher.Events:
			case err := <-watcher.Errors: // events may have been lost: look again
				log.Print(err)
			}
			wake()
		}
	}()
}

func (a agent) follow(changed <-chan struct{}) {
	var earlier []string // chains of the rules in force; nil before the first
	last := ""
	for range changed {
		time.Sleep(gather)
		began := time.Now()
		view := a.view()
		rules := Compute(view)
		now := Script(rules, []string{})
		if now == last && earlier != nil {
			continue
		}
		script := Script(rules, earlier)
		if output, err := apply(script); err != nil {
			log.Fatalf("nft: %v %s\n%s", err, output, script) // started again with a table of its own
		}
		earlier, last = names(rules), now
		log.Printf("%d policies, %d pods, %d chains in %s", len(view.Policies), len(view.Pods), len(earlier), time.Since(began))
	}
}

func apply(script string) (string, error) {
	command := exec.Command("nft", "-f", "-")
	command.Stdin = strings.NewReader(script)
	output, err := command.CombinedOutput()
	return string(output), err
}

func (a agent) view() View {
	attached := readAddresses(a.folder, a.network)
	owner := map[string]string{}
	for pod, addresses := range attached {
		for _, address := range addresses {
			owner[address] = pod
		}
	}
	view := View{Namespaces: map[string]labels.Set{}}
	pods, _ := a.pods.List(labels.Everything())
	for _, pod := range pods {
		name := pod.Namespace + "/" + pod.Name
		addresses := attached[name]
		ended := pod.Status.Phase == corev1.PodSucceeded || pod.Status.Phase == corev1.PodFailed
		// What the API says of an address may be of a pod that has given it back.
		if said := pod.Status.PodIP; len(addresses) == 0 && said != "" && !ended && owner[said] == "" {
			addresses = []string{said}
		}
		if pod.Spec.HostNetwork || len(addresses) == 0 {
			continue
		}
		view.Pods = append(view.Pods, Pod{pod.Namespace, pod.Labels, addresses, ports(pod)})
	}
	namespaces, _ := a.namespaces.List(labels.Everything())
	for _, namespace := range namespaces {
		view.Namespaces[namespace.Name] = namespace.Labels
	}
	view.Policies, _ = a.policies.List(labels.Everything())
	return view
}

func ports(pod *corev1.Pod) []corev1.ContainerPort {
	var found []corev1.ContainerPort
	for _, container := range pod.Spec.Containers {
		found = append(found, container.Ports...)
	}
	for _, container := range pod.Spec.InitContainers { // sidecars
		found = append(found, container.Ports...)
	}
	return found
}
