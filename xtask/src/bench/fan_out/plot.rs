//! A plot as SVG, readable on light and dark pages.

use std::fmt::Write;

const WIDTH: f64 = 640.0;
const HEIGHT: f64 = 360.0;
const LEFT: f64 = 60.0;
const RIGHT: f64 = 20.0;
const TOP: f64 = 50.0;
const BOTTOM: f64 = 50.0;
/// In a grey that both schemes show.
const INK: &str = "#808890";
const COLOURS: [&str; 4] = ["#d95f30", "#2f7fd6", "#3a9d5d", "#a35bc4"];
/// Lines across, of equal distance.
const STEPS: u32 = 4;

pub(crate) struct Plot {
    pub(crate) title: &'static str,
    pub(crate) across: Across,
    pub(crate) lines: Vec<Line>,
}

/// What goes from left to right, with its name.
#[derive(Clone, Copy)]
pub(crate) enum Across {
    /// From nothing on.
    Evenly(&'static str),
    /// By the logarithm, from one on, with a number for each point.
    ByLogarithm(&'static str),
}

pub(crate) struct Line {
    pub(crate) name: &'static str,
    /// Across and up.
    pub(crate) points: Vec<(f64, f64)>,
}

impl Plot {
    pub(crate) fn svg(&self) -> String {
        let points = || self.lines.iter().flat_map(|line| &line.points);
        let most_across = points().map(|(across, _)| *across).fold(2.0, f64::max);
        let most_up = points().map(|(_, up)| *up).fold(1.0, f64::max);
        let step = round((most_up / f64::from(STEPS)).max(1.0));
        let top = step * f64::from(STEPS);
        let x = |across: f64| {
            let share = match self.across {
                Across::Evenly(_) => across / most_across,
                Across::ByLogarithm(_) => across.ln() / most_across.ln(),
            };
            LEFT + share * (WIDTH - LEFT - RIGHT)
        };
        let y = |up: f64| HEIGHT - BOTTOM - up / top * (HEIGHT - TOP - BOTTOM);

        let mut svg = format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {HEIGHT}\" font-family=\"sans-serif\" font-size=\"13\" fill=\"{INK}\">\n\
             <title>{}</title>\n<text x=\"{LEFT}\" y=\"20\" font-size=\"15\">{}</text>\n",
            self.title, self.title
        );
        for number in 0..=STEPS {
            let up = step * f64::from(number);
            let at = y(up);
            let _ = writeln!(
                svg,
                "<path d=\"M{LEFT} {at:.1}H{}\" stroke=\"{INK}\" stroke-opacity=\"0.35\"/><text x=\"{}\" y=\"{:.1}\" text-anchor=\"end\">{up}</text>",
                WIDTH - RIGHT,
                LEFT - 8.0,
                at + 4.0
            );
        }
        let (across, mut marks): (_, Vec<f64>) = match self.across {
            Across::Evenly(name) => {
                let step = round((most_across / 6.0).max(1.0));
                (
                    name,
                    (0..=6).map(|number| step * f64::from(number)).collect(),
                )
            }
            Across::ByLogarithm(name) => (name, points().map(|(across, _)| *across).collect()),
        };
        marks.retain(|mark| *mark <= most_across);
        marks.sort_unstable_by(f64::total_cmp);
        marks.dedup();
        let mut last = f64::NEG_INFINITY;
        for mark in marks {
            // Numbers that would stand on one another are left out.
            if x(mark) - last > 28.0 {
                last = x(mark);
                let _ = writeln!(
                    svg,
                    "<text x=\"{last:.1}\" y=\"{}\" text-anchor=\"middle\">{mark}</text>",
                    HEIGHT - BOTTOM + 20.0
                );
            }
        }
        let _ = writeln!(
            svg,
            "<text x=\"{}\" y=\"{}\" text-anchor=\"end\">{}</text>",
            WIDTH - RIGHT,
            HEIGHT - 10.0,
            across
        );
        let room = (WIDTH - LEFT - RIGHT - 20.0) / self.lines.len().max(3) as f64;
        for (number, line) in self.lines.iter().enumerate() {
            let colour = COLOURS[number % COLOURS.len()];
            let path = line.points.iter().enumerate().map(|(place, (across, up))| {
                let command = if place == 0 { 'M' } else { 'L' };
                format!("{command}{:.1} {:.1}", x(*across), y(*up))
            });
            let path = path.collect::<String>();
            let _ = writeln!(
                svg,
                "<path d=\"{path}\" fill=\"none\" stroke=\"{colour}\" stroke-width=\"2\"/>"
            );
            // A long line needs no marks.
            let marked = line.points.len() <= 20;
            for (across, up) in line.points.iter().filter(|_| marked) {
                let _ = writeln!(
                    svg,
                    "<circle cx=\"{:.1}\" cy=\"{:.1}\" r=\"3.5\" fill=\"{colour}\"/>",
                    x(*across),
                    y(*up)
                );
            }
            let legend = LEFT + 20.0 + room * number as f64;
            let _ = writeln!(
                svg,
                "<circle cx=\"{legend}\" cy=\"36\" r=\"4\" fill=\"{colour}\"/><text x=\"{}\" y=\"40\">{}</text>",
                legend + 10.0,
                line.name
            );
        }
        svg.push_str("</svg>\n");
        svg
    }
}

/// The next round number: 1, 2 or 5 with noughts. For numbers from 1 on.
fn round(least: f64) -> f64 {
    let size = 10f64.powf(least.log10().floor());
    let rounds = [1.0, 2.0, 5.0].map(|round| round * size);
    let next = rounds.into_iter().find(|round| *round >= least);
    next.unwrap_or(10.0 * size)
}
