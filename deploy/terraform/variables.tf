variable "definition" {
  description = "Folder that deploy/definition.py wrote."
  type        = string
}

variable "context" {
  description = "Context of the kubeconfig. There is no default: the wrong cluster is a bad guess."
  type        = string

  validation {
    condition     = length(var.context) > 0
    error_message = "Name the context of the cluster."
  }
}

variable "size" {
  description = "How much of everything, as it was given to deploy/definition.py."
  type        = string
  default     = "small"

  validation {
    condition     = contains(["small", "production"], var.size)
    error_message = "There are the sizes small and production."
  }
}

variable "psql" {
  description = "Starts psql as the administrator, in PostgreSQL's pod."
  type        = string
  default     = "sh -c 'PGPASSWORD=\"$POSTGRESQL_PASSWORD\" \"$ARTIFACT_SERVER/bin/psql\" --set ON_ERROR_STOP=1 --host postgresql --username postgres'"
}
