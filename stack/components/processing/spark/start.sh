#!/bin/sh
# Start Java as Spark's own scripts do at their end; they first start another JVM to compute the command.
#   start.sh pod|scheduler|operator [OPTIONS OF SPARK-SUBMIT] JOB [ARGUMENTS]   a job, in the way of execution.runner
#   start.sh driver|executor …                                                 in a pod that Spark or its operator made
set -eu
cd "$ROOT"

# The class archive is taken only for the class path in the order of its making; `jars/*` would be the order of the file
# system, so the shell sorts it.
start_java() {
    CLASSPATH=$(LC_ALL=C; printf ':%s' "$ARTIFACT_HOME"/spark/jars/*.jar "$ARTIFACT_JARS"/*.jar)
    export CLASSPATH="${CLASSPATH#:}"
    exec "$ARTIFACT_JAVA21/bin/java" "@$ETC/jvm.options" "-XX:SharedArchiveFile=$ARTIFACT_ARCHIVE/spark.jsa" \
        "-Dlog4j2.configurationFile=$ETC/log4j2.properties" "-Duser.home=$DATA" "-Djava.io.tmpdir=$TMPDIR" "$@"
}

# One file of settings out of several: of a key that is there twice, the last counts. It holds the catalog's token.
settings() (
    umask 077
    cat "$@" >"$DATA/spark.properties"
)

way=$1
shift
case $way in
pod)
    export SPARK_LOCAL_IP=127.0.0.1
    start_java org.apache.spark.deploy.SparkSubmit --properties-file "$ETC/spark-defaults.conf" "$@"
    ;;
scheduler)
    settings "$ETC/spark-defaults.conf" "$ETC/spark-pods.conf"
    start_java org.apache.spark.deploy.SparkSubmit --properties-file "$DATA/spark.properties" \
        --conf "spark.driver.host=$NODE_ADDRESS" \
        --conf "spark.kubernetes.executor.podTemplateFile=$ETC/pods/executor.yaml" "$@"
    ;;
operator)
    PYTHONPATH="$ROOT/plugins" exec "$PLATFORM_PYTHON" -m data_platform.targets.kubernetes.spark_application "$@"
    ;;
# As the entrypoint of Spark's own images: `driver --properties-file FILE --class CLASS JOB [ARGUMENTS]`. The file is what
# the operator was told, with the addresses that it chose.
driver)
    settings "$ETC/spark-defaults.conf" "$ETC/spark-pods.conf" "$2"
    shift 2
    start_java org.apache.spark.deploy.SparkSubmit --properties-file "$DATA/spark.properties" --deploy-mode client \
        --conf "spark.driver.bindAddress=$SPARK_DRIVER_BIND_ADDRESS" "$@"
    ;;
# Spark gives options of this JVM as SPARK_JAVA_OPT_0, SPARK_JAVA_OPT_1, …; files of a job it puts where it stands.
executor)
    cd "$DATA"
    set --
    while eval "option=\${SPARK_JAVA_OPT_$#-}" && [ -n "$option" ]; do
        set -- "$@" "$option"
    done
    start_java "$@" "-Xmx$SPARK_EXECUTOR_MEMORY" org.apache.spark.scheduler.cluster.k8s.KubernetesExecutorBackend \
        --driver-url "$SPARK_DRIVER_URL" --executor-id "$SPARK_EXECUTOR_ID" --cores "$SPARK_EXECUTOR_CORES" \
        --app-id "$SPARK_APPLICATION_ID" --hostname "$SPARK_EXECUTOR_POD_IP" \
        --resourceProfileId "$SPARK_RESOURCE_PROFILE_ID" --podName "$SPARK_EXECUTOR_POD_NAME"
    ;;
*)
    echo "Spark has no runner '$way'; execution.runner is pod, scheduler or operator" >&2
    exit 2
    ;;
esac
