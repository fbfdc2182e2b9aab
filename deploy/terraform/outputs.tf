output "next" {
  description = "What is left to do."
  value       = "Unpause and trigger the DAG stack_deploy in Airflow (service airflow in data-platform-core, port 8080)."
}
