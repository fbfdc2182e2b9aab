# Installs what the bootstrap installs, and nothing else: the namespaces with their guard rails, PostgreSQL and Airflow. The
# rest is Airflow's work (DAG stack_deploy). It calls kubectl and helm instead of a provider: nothing has to be downloaded.
terraform {
  required_version = ">= 1.4"
}

locals {
  components = "${path.module}/../../stack/components"
  places = {
    postgresql = { namespace = "data-platform-storage", folder = "${local.components}/storage/postgresql" }
    airflow    = { namespace = "data-platform-core", folder = "${local.components}/core/airflow" }
  }
}

resource "terraform_data" "guard_rails" {
  triggers_replace = [filesha256("${var.definition}/guard-rails.yaml")]

  provisioner "local-exec" {
    command = "kubectl --context \"$CONTEXT\" apply --server-side --filename \"$FILE\""
    environment = {
      CONTEXT = var.context
      FILE    = abspath("${var.definition}/guard-rails.yaml")
    }
  }
}

module "postgresql" {
  source     = "./release"
  depends_on = [terraform_data.guard_rails]

  name       = "postgresql"
  namespace  = local.places.postgresql.namespace
  folder     = local.places.postgresql.folder
  definition = var.definition
  size       = var.size
  context    = var.context
}

resource "terraform_data" "databases" {
  depends_on       = [module.postgresql]
  triggers_replace = [filesha256("${var.definition}/databases/airflow.sql")]

  # The statements make what is missing; they hold a password, so they go through standard input.
  provisioner "local-exec" {
    command = "kubectl --context \"$CONTEXT\" exec --stdin --namespace \"$NAMESPACE\" postgresql-server-0 -- ${var.psql} < \"$FILE\""
    environment = {
      CONTEXT   = var.context
      NAMESPACE = local.places.postgresql.namespace
      FILE      = abspath("${var.definition}/databases/airflow.sql")
    }
  }
}

module "airflow" {
  source     = "./release"
  depends_on = [terraform_data.databases]

  name       = "airflow"
  namespace  = local.places.airflow.namespace
  folder     = local.places.airflow.folder
  definition = var.definition
  size       = var.size
  context    = var.context
}
