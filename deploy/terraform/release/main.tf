# One of the platform's charts, as a release. Two resources: one whose end uninstalls, one that is made anew at every change.
variable "name" { type = string }
variable "namespace" { type = string }
variable "folder" { type = string }
variable "definition" { type = string }
variable "size" { type = string }
variable "context" { type = string }

locals {
  charts  = "${path.module}/../../../stack/charts"
  secrets = "${var.definition}/secrets/${var.name}.yaml"
  values  = ["${var.definition}/values/${var.name}.yaml", "${var.folder}/values.${var.size}.yaml"]
  sources = concat(
    [for file in fileset("${var.folder}/chart", "**") : "${var.folder}/chart/${file}"],
    [for file in fileset(local.charts, "**/*.{tpl,yaml}") : "${local.charts}/${file}"],
  )
}

resource "terraform_data" "release" {
  input = { name = var.name, namespace = var.namespace, context = var.context }

  # Volumes and Secrets stay: they are data.
  provisioner "local-exec" {
    when    = destroy
    command = "helm uninstall \"$NAME\" --namespace \"$NAMESPACE\" --kube-context \"$CONTEXT\" --ignore-not-found --wait"
    environment = {
      NAME      = self.input.name
      NAMESPACE = self.input.namespace
      CONTEXT   = self.input.context
    }
  }
}

resource "terraform_data" "revision" {
  depends_on = [terraform_data.release]
  # Digests: what is in the files is not kept in Terraform's state.
  triggers_replace = [for file in concat([local.secrets], local.values, local.sources) : filesha256(file)]

  provisioner "local-exec" {
    command = join(" && ", [
      "kubectl --context \"$CONTEXT\" apply --server-side --filename \"$SECRETS\"",
      "helm upgrade --install \"$NAME\" \"$CHART\" --namespace \"$NAMESPACE\" --kube-context \"$CONTEXT\" --values \"$DEFINITION\" --values \"$SIZE\" --wait --timeout 15m",
    ])
    environment = {
      NAME       = var.name
      NAMESPACE  = var.namespace
      CONTEXT    = var.context
      CHART      = abspath("${var.folder}/chart")
      SECRETS    = abspath(local.secrets)
      DEFINITION = abspath(local.values[0])
      SIZE       = abspath(local.values[1])
    }
  }
}
