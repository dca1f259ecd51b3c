"""Pages that are ready to be shown. Made from the commands, by pytest with --update-golden."""

HELP = """\
Usage: ecsplan [OPTIONS] COMMAND [ARGS]...

  Deploy to Amazon ECS: plan, apply, roll back.

Options:
  -f, --file TEXT              The spec.  [default: ecsplan.toml]
  --journal TEXT               The journal's folder.  [default: .ecsplan
                               beside the spec]
  --region TEXT                The AWS region; wins over the spec and the
                               environment.
  --profile TEXT               The AWS profile; wins over the spec and the
                               environment.
  --color [auto|always|never]  [default: auto]
  -v, --verbose                Show a traceback with every error.
  --version                    Show the version and exit.
  -h, --help                   Show this message and exit.

Commands:
  apply     Carry out the saved plan, exactly.
  continue  Let a deployment go on that is paused at a hook.
  demo      Watch a whole story on an embedded AWS.
  deploy    Plan TAG, ask, apply.
  history   List the deployments in the journal.
  plan      Show what would change for TAG.
  render    Print the compiled requests as JSON, offline.
  resume    Finish a deployment that was cut off, or is not finished.
  rollback  Go back to an earlier deployment.
  sandbox   Serve an embedded AWS to rehearse on.
  show      Show deployment NUMBER with its steps.
  validate  Check the spec, offline.
"""
