#!/usr/bin/env node
// The command line: commands, options, errors and exit codes.

import { Command, CommanderError, Option } from "commander";
import { version } from "../../package.json";
import { DownhillError } from "../errors";
import { bench } from "./bench";
import { MISSING } from "./data";
import { evaluate, inspect, predict } from "./file";
import { count, fraction, natural, nonNegative, sizes, threads } from "./options";
import { profile } from "./profile";
import { OPTIMIZERS, SCHEDULES } from "./recipe";
import { train } from "./train";

/** What a script can tell by the exit code; 130: interrupted. */
const FAILURE = 1;
const USAGE = 2;

const DATA = "digits (embedded), a folder of images in MNIST's format, or a CSV file";

const program = new Command("downhill")
  .description("Trains neural networks on images and tables, and uses what it trained.")
  .version(version)
  .helpCommand(false)
  .exitOverride()
  .configureOutput({ outputError: (text, write) => write(text.replace(/^error: /, "downhill: ")) })
  .configureHelp({ showGlobalOptions: false })
  .addHelpText(
    "after",
    `
Examples:
  downhill train                                            the embedded digits, in seconds
  downhill train --save digits.safetensors                  … and keep the model
  downhill predict digits.safetensors --data digits         class and probabilities of each test image
  downhill train --data iris.csv --target species           a table
  downhill profile                                          where the time of a training step goes

downhill <command> --help tells a command's options.
Exit codes: 0 done, 1 failed (data, files, numbers), 2 wrong usage, 130 interrupted.`,
  );

const optionOf = (flags: string, description: string) => new Option(flags, description);
const runtimeOptions = (command: Command) =>
  command
    .addOption(optionOf("--threads <n>", 'threads, or "auto": all cores').argParser(threads).default(1))
    .option("--fast-math", "fused multiply-add: faster, bits depend on the machine", false);
const csvOptions = (command: Command) =>
  command
    .addOption(
      optionOf("--delimiter <text>", "CSV: what separates values; \\t is a tab")
        .argParser((text) => text.replaceAll("\\t", "\t"))
        .default(","),
    )
    .option("--no-header", "CSV: the first line holds values; columns are called 1, 2, …");

const modelOptions = (command: Command) =>
  command
    .optionsGroup("The model:")
    .addOption(
      optionOf("--hidden <sizes>", "units of the hidden layers, or none")
        .argParser(sizes)
        .default([256, 128], "256,128"),
    )
    .option("--no-batch-norm", "leave batch normalization out")
    .addOption(optionOf("--dropout <rate>", "share of hidden units dropped").argParser(fraction).default(0.3))
    .addOption(optionOf("--l1 <c>", "penalty c·‖w‖₁ on kernels").argParser(nonNegative).default(0))
    .addOption(optionOf("--l2 <c>", "penalty c·½‖w‖² on kernels").argParser(nonNegative).default(0))
    .addOption(
      optionOf("--label-smoothing <s>", "share of the target spread over all classes").argParser(fraction).default(0.1),
    );
const batchOption = () => optionOf("--batch-size <n>", "examples an update").argParser(count).default(64);
const optimizerOption = () =>
  optionOf("--optimizer <name>", "how weights are updated").choices(OPTIMIZERS).default("adam");
const targetOption = () => optionOf("--target <column>", "the column to predict");

let exitCode = 0;

const training = program
  .command("train")
  .description("Train a model and test it.")
  .option("--data <source>", DATA, "digits")
  .addOption(optionOf("--model <name>", "kind of model").choices(["mlp"]).default("mlp"));
modelOptions(training)
  .optionsGroup("Training:")
  .addOption(optionOf("--epochs <n>", "times through the data").argParser(count).default(40))
  .addOption(batchOption())
  .addOption(optimizerOption())
  .addOption(
    optionOf(
      "--learning-rate <r>",
      "at the first update (default: 0.003 for adam; each optimizer has its own)",
    ).argParser(nonNegative),
  )
  .addOption(optionOf("--schedule <name>", "how the learning rate falls").choices(SCHEDULES).default("linear"))
  .addOption(
    optionOf("--final-learning-rate <r>", "at the last update (default: a hundredth of the first)").argParser(
      nonNegative,
    ),
  )
  .addOption(optionOf("--momentum <m>", "of sgd and rmsprop").argParser(fraction).default(0.9))
  .addOption(optionOf("--weight-decay <c>", "of kernels (default: 0.01 for adamw, else 0)").argParser(nonNegative))
  .addOption(optionOf("--clip-norm <c>", "longest gradient").argParser(nonNegative))
  .addOption(optionOf("--validation-split <f>", "share of the training data held out").argParser(fraction).default(0.1))
  .addOption(
    optionOf("--patience <n>", "stop after n epochs without a lower validation loss; keep the best weights").argParser(
      natural,
    ),
  )
  .addOption(optionOf("--seed <n>", "equal seeds give equal bits").argParser(natural).default(0))
  .optionsGroup("Files:")
  .option("--save <file>", "write the trained model (.safetensors)")
  .option("--checkpoint <file>", "write the model after each epoch, and on Ctrl-C")
  .option("--resume <file>", "go on with a saved model, with the options that it was trained with")
  .optionsGroup("CSV files:")
  .addOption(targetOption())
  .addOption(
    optionOf("--task <name>", "predict a class or a number (default: by the target's values)").choices([
      "classification",
      "regression",
    ]),
  )
  .addOption(optionOf("--test-split <f>", "share of the rows kept for the test").argParser(fraction).default(0.2))
  .addOption(
    optionOf("--missing <how>", "missing values: refuse, leave the row out, fill in the mean")
      .choices(MISSING)
      .default("error"),
  );
csvOptions(training).optionsGroup("Speed:");
runtimeOptions(training)
  .addHelpText(
    "after",
    `
Progress goes to standard error, results to standard output; the last line is the test's result.

Examples:
  downhill train
  downhill train --data table.csv --target price --hidden 64,64 --patience 10
  downhill train --checkpoint run.safetensors --epochs 200
  downhill train --resume run.safetensors

MNIST (98.4 % and more on the test images):
  downhill train --data mnist/ --hidden 512,512 --epochs 15 --batch-size 128 --threads auto`,
  )
  .action(async (options, command: Command) => {
    exitCode = await train(options, (name) => command.getOptionValueSource(name) === "cli");
  });

const ofFile = (name: string, description: string) =>
  program.command(name).description(description).argument("<file>", "a saved model (.safetensors)");
const exampleOptions = (command: Command, missing: string) =>
  runtimeOptions(
    csvOptions(
      command
        .requiredOption("--data <source>", DATA)
        .addOption(optionOf("--part <name>", "which images of a data set").choices(["train", "test"]).default("test"))
        .addOption(optionOf("--missing <how>", missing).choices(MISSING)),
    ),
  );

exampleOptions(
  ofFile("evaluate", "Test a saved model."),
  "CSV: missing values: error, drop (leave the row out), mean of the rows trained on (default: mean where trained so, else error)",
)
  .addHelpText("after", "\nExample:\n  downhill evaluate digits.safetensors --data digits")
  .action(evaluate);

exampleOptions(
  ofFile("predict", "Predict with a saved model: class and probabilities, or numbers, a line an example."),
  "CSV: missing values: error, drop (NA in that line), mean of the rows trained on (default: mean where trained so, else error)",
)
  .addOption(
    optionOf("--format <name>", "csv with a header, or json: an object a line").choices(["csv", "json"]).default("csv"),
  )
  .option("--output <file>", "write to a file in the place of standard output")
  .addHelpText("after", "\nExample:\n  downhill predict iris.safetensors --data new.csv --format json")
  .action(predict);

ofFile("inspect", "Show a saved model: layers, parameters, optimizer, position of the training, metadata.")
  .option("--tape", "the instructions of a training step too", false)
  .addOption(optionOf("--rows <n>", "examples of the step that --tape shows").argParser(count).default(32))
  .action(inspect);

const profiling = program
  .command("profile")
  .description("Show where the time of a training step goes, of a saved model or the one that train would build.")
  .argument("[file]", "a saved model (.safetensors)")
  .option("--data <source>", DATA, "digits")
  .addOption(batchOption())
  .option("--json", "numbers in the place of a table", false);
modelOptions(profiling).addOption(optimizerOption()).optionsGroup("CSV files:").addOption(targetOption());
csvOptions(profiling).optionsGroup("Speed:");
runtimeOptions(profiling)
  .addHelpText(
    "after",
    `
Of each instruction: time, share of the step, GFLOP/s or GB/s, and the share of what this machine reached in the same run.
A saved model is given made-up examples that fit it, unless --data names others.

Examples:
  downhill profile --hidden 512,512 --batch-size 128 --threads 2
  downhill profile digits.safetensors`,
  )
  .action((file: string | undefined, options, command: Command) =>
    profile(file, options, (name) => command.getOptionValueSource(name) === "cli"),
  );

program
  .command("bench")
  .description("Run the benchmark (in the project's repository).")
  .option("--json <file>", "write rows, goals and the machine")
  .option("--filter <text>", 'only rows whose "kernel shape" holds the text; may be given several times')
  .addOption(optionOf("--rounds <n>", "rounds, of which medians are taken (default: 30)").argParser(count))
  .option("--threads <list>", "numbers of threads (default: 1,2)")
  .action(async () => {
    exitCode = await bench(process.argv.slice(3)); // which reads them itself
  });

/** Prints an error in one line, and returns the exit code. */
function report(error: unknown): number {
  if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : USAGE; // commander has printed it
  const { message, stack } = error instanceof Error ? error : new Error(String(error));
  console.error(process.env["DEBUG"] ? stack : `downhill: ${message}`);
  return error instanceof DownhillError && error.code === "argument" ? USAGE : FAILURE;
}

// a reader that has had enough, such as `| head`, ends the program
process.stdout.on("error", (error: NodeJS.ErrnoException) => process.exit(error.code === "EPIPE" ? 0 : FAILURE));

try {
  await program.parseAsync();
} catch (error) {
  exitCode = report(error);
}
process.exitCode = exitCode;
