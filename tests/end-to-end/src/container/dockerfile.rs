//! Reading the part of the Dockerfile format that ours uses. Anything else is an error, so that nothing is left out.

use anyhow::{Context, Result, bail, ensure};

/// A Dockerfile, as far as its last stage goes.
#[derive(Debug)]
pub struct Dockerfile {
    /// The commands of the stages before the last, as text.
    pub earlier: Vec<String>,
    /// The image that the last stage starts from.
    pub base: String,
    /// Its steps, in order.
    pub last_stage: Vec<Step>,
}

/// An instruction.
#[derive(Debug, PartialEq)]
pub enum Step {
    /// A shell command.
    Run(String),
    /// A file from the context, or from another stage.
    Copy {
        /// The other stage.
        stage: Option<String>,
        /// The path there.
        from: String,
        /// The path in the image.
        to: String,
    },
    /// A variable and its value.
    Env(String, String),
    /// User and group as numbers.
    User(String),
    /// The folder that programs start in.
    Workdir(String),
    /// The program that is started.
    Entrypoint(Vec<String>),
    /// The program that asks it whether it is well.
    Healthcheck(Vec<String>),
    /// A port or a volume, which changes nothing by itself.
    Documentation,
}

impl Dockerfile {
    /// Reads one.
    pub fn read(text: &str) -> Result<Self> {
        let instructions = instructions(text);
        let last = instructions
            .iter()
            .rposition(|line| line.starts_with("FROM "));
        let last = last.context("no FROM")?;
        let base = instructions[last].split_whitespace().nth(1);
        let steps = instructions[last + 1..].iter();
        Ok(Self {
            earlier: instructions[..last].to_vec(),
            base: base.context("FROM nothing")?.to_owned(),
            last_stage: steps
                .map(|line| step(line).with_context(|| line.clone()))
                .collect::<Result<_>>()?,
        })
    }
}

/// Without comments, and each in one line.
fn instructions(text: &str) -> Vec<String> {
    let mut instructions = Vec::new();
    let mut begun = String::new();
    for line in text.lines().map(str::trim) {
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        match line.strip_suffix('\\') {
            Some(part) => begun.push_str(part),
            None => {
                begun.push_str(line);
                instructions.push(std::mem::take(&mut begun));
            }
        }
    }
    instructions
}

fn step(line: &str) -> Result<Step> {
    let (word, rest) = line.split_once(' ').context("a word alone")?;
    Ok(match word {
        "RUN" => Step::Run(rest.to_owned()),
        "COPY" => {
            let mut words = rest.split_whitespace().peekable();
            let stage = words.next_if(|word| word.starts_with("--from="));
            let (Some(from), Some(to), None) = (words.next(), words.next(), words.next()) else {
                bail!("one source and one place are understood");
            };
            ensure!(
                !from.starts_with("--") && to.starts_with('/'),
                "not understood"
            );
            Step::Copy {
                stage: stage.map(|word| word["--from=".len()..].to_owned()),
                from: from.to_owned(),
                to: to.to_owned(),
            }
        }
        "ENV" => {
            let (name, value) = rest.split_once('=').context("no value")?;
            ensure!(!value.contains([' ', '"', '$']), "not understood");
            Step::Env(name.to_owned(), value.to_owned())
        }
        "USER" => {
            let is_number = |word: &str| word.parse::<u32>().is_ok();
            let (user, group) = rest.split_once(':').context("no group")?;
            ensure!(
                is_number(user) && is_number(group),
                "a name is not understood"
            );
            Step::User(rest.to_owned())
        }
        "WORKDIR" => Step::Workdir(rest.to_owned()),
        "ENTRYPOINT" => Step::Entrypoint(words(rest)?),
        "HEALTHCHECK" => Step::Healthcheck(words(rest.strip_prefix("CMD ").context("no CMD")?)?),
        "EXPOSE" | "VOLUME" => Step::Documentation,
        other => bail!("{other} is not understood"),
    })
}

fn words(list: &str) -> Result<Vec<String>> {
    serde_json::from_str(list).context("not a list of words")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_stage_is_read() -> Result<()> {
        let text = "# A comment\nFROM a AS b\nFROBNICATE c\n\nFROM d\nRUN one \\\n  && two\nUSER 1:2\n\
                    COPY --from=b /e /f\nENTRYPOINT [\"g\", \"h\"]\n";
        let read = Dockerfile::read(text)?;
        assert_eq!(read.base, "d");
        assert_eq!(read.earlier, ["FROM a AS b", "FROBNICATE c"]);
        let copy = Step::Copy {
            stage: Some("b".to_owned()),
            from: "/e".to_owned(),
            to: "/f".to_owned(),
        };
        let entrypoint = Step::Entrypoint(vec!["g".to_owned(), "h".to_owned()]);
        let steps = [
            Step::Run("one && two".to_owned()),
            Step::User("1:2".to_owned()),
            copy,
            entrypoint,
        ];
        assert_eq!(read.last_stage, steps);
        Ok(())
    }

    #[test]
    fn what_is_not_understood_is_an_error() {
        for line in [
            "FROBNICATE",
            "ONBUILD RUN x",
            "COPY a b /c",
            "USER wigwag",
            "ENV a=\"b c\"",
            "ENTRYPOINT x",
        ] {
            Dockerfile::read(&format!("FROM a\n{line}\n")).expect_err(line);
        }
    }
}
