"""ecsplan measured beside what people use today; `script/bench` runs it. The words are those of docs/benchmarks.md."""
