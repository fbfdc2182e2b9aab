// Says which version of the operator is built, and go.sum that it is that one. It is the main module of its own build: what
// it replaces counts only there.
module data-platform/spark-operator

go 1.24.10

require github.com/kubeflow/spark-operator/v2 v2.5.0
