//! `cargo parser-fuzz`: many inputs for every property, without coverage; see `tidegate_tests::properties`.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Parser;
use tidegate_tests::properties::campaign::{self, Failure};
use tidegate_tests::properties::inputs::Inputs;
use tidegate_tests::properties::{ALL, Property, named};

/// Draws and mutates inputs for each parser and for the whole worker, on all cores, and checks what must hold for
/// them. A failing input is made short, written to a file, and ends the run with an error.
#[derive(Debug, Parser)]
#[command(name = "parser-fuzz", version)]
struct Arguments {
    /// How many inputs each parser gets; the whole worker gets one where parsers get a thousand.
    #[arg(long, default_value_t = 1_000_000)]
    inputs: u64,
    /// Only this property, by name; the whole worker gets all of its inputs then.
    #[arg(long)]
    only: Option<String>,
    /// What all inputs follow from.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Begin with the input of this number.
    #[arg(long, default_value_t = 0)]
    first: u64,
    /// Try this file alone, with the property given by `--only`; the panic is shown whole.
    #[arg(long)]
    replay: Option<PathBuf>,
    /// Where failing inputs are written.
    #[arg(long, default_value = "target/parser-fuzz")]
    failures: PathBuf,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let chosen: Vec<&'static Property> = match &arguments.only {
        None => ALL.iter().collect(),
        Some(name) => named(name).into_iter().collect(),
    };
    if chosen.is_empty() {
        let names: Vec<&str> = ALL.iter().map(|property| property.name).collect();
        eprintln!("no property has that name; there are {}", names.join(", "));
        return ExitCode::FAILURE;
    }
    if let Some(path) = &arguments.replay {
        return replay(&chosen, path);
    }
    println!("seed {}", arguments.seed);
    // Thousands of panics may be met while an input is made short.
    std::panic::set_hook(Box::new(|_| ()));
    let mut well = true;
    for property in chosen {
        well &= has_held(property, &arguments);
    }
    if well { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn has_held(property: &'static Property, arguments: &Arguments) -> bool {
    let inputs = match Inputs::new(property, arguments.seed) {
        Ok(inputs) => inputs,
        Err(error) => {
            println!("{}: its corpus cannot be read: {error}", property.name);
            return false;
        }
    };
    let count = match arguments.only {
        Some(_) => arguments.inputs,
        None => arguments.inputs.div_ceil(property.costs),
    };
    let mut seconds = 0;
    let outcome = campaign::run(property, &inputs, arguments.first, count, |progress| {
        seconds += 1;
        if let Some(number) = progress.slow {
            eprintln!("{}: input {number} takes long (--only, --first {number})", property.name);
        }
        if seconds % 10 == 0 {
            eprintln!("{}: {} of {count}", property.name, progress.inputs);
        }
    });
    let rate = u128::from(outcome.inputs) * 1_000_000_000 / u128::from(outcome.nanos.max(1));
    println!("{:16} {:>10} inputs {rate:>9}/s", property.name, outcome.inputs);
    outcome.failure.is_none_or(|failure| {
        tell(property, &failure, &arguments.failures);
        false
    })
}

fn tell(property: &Property, failure: &Failure, directory: &Path) {
    println!("{} BROKEN by input {}: {}", property.name, failure.number, failure.what);
    println!("  made short: {} bytes: {:02x?}", failure.bytes.len(), failure.bytes);
    let path = directory.join(format!("{}-{}", property.name, failure.number));
    let written = std::fs::create_dir_all(directory).and_then(|()| std::fs::write(&path, &failure.bytes));
    match written {
        Ok(()) => println!(
            "  again: cargo parser-fuzz --only {} --replay {}\n  keep it: move it to tests/fuzz/corpus/{}",
            property.name,
            path.display(),
            property.name
        ),
        Err(error) => println!("  it could not be written to {}: {error}", path.display()),
    }
}

fn replay(chosen: &[&Property], path: &Path) -> ExitCode {
    let [property] = chosen else {
        eprintln!("say with --only which property the file is for");
        return ExitCode::FAILURE;
    };
    match std::fs::read(path) {
        Ok(bytes) => {
            (property.check)(&bytes);
            println!("{} holds for {}", property.name, path.display());
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("{}: {error}", path.display());
            ExitCode::FAILURE
        }
    }
}
