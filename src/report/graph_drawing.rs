//! The graph beside a history, newest first: one lane for each line of descent, as `git log --graph` draws it.

use std::collections::HashSet;

/// Draws rows with their lanes. A row is its key, the keys of its parents, and its lines of text. Parents come after their children,
/// or not at all.
pub(crate) fn draw(rows: &[(usize, Vec<usize>, Vec<String>)]) -> String {
    let drawn: HashSet<usize> = rows.iter().map(|(key, ..)| *key).collect();
    let mut picture = Picture::default();
    for (key, below, lines) in rows {
        let below: Vec<usize> = below.iter().copied().filter(|below| drawn.contains(below)).collect();
        picture.row(*key, &below, lines);
    }
    picture.text
}

#[derive(Default)]
struct Picture {
    text: String,
    /// The key that each lane leads to, from the left.
    lanes: Vec<usize>,
}

impl Picture {
    fn row(&mut self, key: usize, below: &[usize], lines: &[String]) {
        let lane = match self.lanes.iter().position(|lane| *lane == key) {
            Some(lane) => lane,
            None => {
                self.lanes.push(key);
                self.lanes.len() - 1
            }
        };
        // Lanes that lead to this row join.
        while let Some(other) = self.lanes.iter().skip(lane + 1).position(|other| *other == key).map(|place| place + lane + 1) {
            self.join(lane, other);
        }
        for (number, line) in lines.iter().enumerate() {
            let mark = |place: usize| {
                if place == lane {
                    if number == 0 {
                        '*'
                    } else if below.is_empty() {
                        ' '
                    } else {
                        '|'
                    }
                } else {
                    '|'
                }
            };
            let lanes: String = (0..self.lanes.len()).flat_map(|place| [mark(place), ' ']).collect();
            self.line(&format!("{lanes} {line}"));
        }
        match below.split_first() {
            None => self.end(lane),
            Some((first, others)) => {
                self.lanes[lane] = *first;
                for (number, other) in others.iter().enumerate() {
                    self.open(lane + number, *other);
                }
            }
        }
    }

    /// Opens a lane right of `lane`: `|\`; those to the right move by one.
    fn open(&mut self, lane: usize, key: usize) {
        let picture: String = (0..self.lanes.len())
            .map(|place| {
                if place < lane {
                    "| "
                } else if place == lane {
                    "|\\"
                } else {
                    " \\"
                }
            })
            .collect();
        self.line(&picture);
        self.lanes.insert(lane + 1, key);
    }

    /// Joins the lane `other` with `lane`, to its left: `|/`, or `|_|/` across those in between.
    fn join(&mut self, lane: usize, other: usize) {
        let mut picture = String::new();
        for place in 0..self.lanes.len() {
            // The character before the lane's, then the lane's.
            let (gap, mark) = match place {
                _ if place < other => (if place > lane { "_" } else { " " }, "|"),
                _ => ("/", " "),
            };
            if place > 0 {
                picture += gap;
            }
            picture += mark;
        }
        self.line(&picture);
        self.lanes.remove(other);
    }

    /// Ends a lane; those to the right move by one.
    fn end(&mut self, lane: usize) {
        self.lanes.remove(lane);
        if lane < self.lanes.len() {
            let picture: String = (0..=self.lanes.len())
                .map(|place| {
                    if place < lane {
                        "| "
                    } else if place == lane {
                        " "
                    } else {
                        "/ "
                    }
                })
                .collect();
            self.line(&picture);
        }
    }

    fn line(&mut self, line: &str) {
        self.text += line.trim_end();
        self.text.push('\n');
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn picture(rows: &[(usize, &[usize])]) -> String {
        let rows: Vec<(usize, Vec<usize>, Vec<String>)> =
            rows.iter().map(|(key, below)| (*key, below.to_vec(), vec![key.to_string()])).collect();
        format!("\n{}", draw(&rows))
    }

    #[test]
    fn a_chain_is_a_line() {
        assert_eq!(picture(&[(3, &[2]), (2, &[1]), (1, &[])]), "\n*  3\n*  2\n*  1\n");
    }

    #[test]
    fn branches_part_and_come_together() {
        let expected = r"
*  5
|\
| *  4
* |  3
|/
*  2
*  1
";
        assert_eq!(picture(&[(5, &[3, 4]), (4, &[2]), (3, &[2]), (2, &[1]), (1, &[])]), expected);
    }

    #[test]
    fn two_heads_and_two_roots_have_lanes_of_their_own() {
        let expected = r"
*  9
*  8
*  5
| *  4
|/
*  1
";
        assert_eq!(picture(&[(9, &[8]), (8, &[]), (5, &[1]), (4, &[1]), (1, &[])]), expected);
        let expected = r"
*  9
| *  5
* |  8
 /
*  4
";
        assert_eq!(picture(&[(9, &[8]), (5, &[4]), (8, &[]), (4, &[])]), expected);
    }

    #[test]
    fn a_lane_joins_past_others() {
        let expected = r"
*  9
| *  8
| | *  7
|_|/
* |  1
 /
*  2
";
        assert_eq!(picture(&[(9, &[1]), (8, &[2]), (7, &[1]), (1, &[]), (2, &[])]), expected);
    }

    #[test]
    fn what_is_not_drawn_ends_the_line() {
        assert_eq!(picture(&[(3, &[2]), (2, &[1])]), "\n*  3\n*  2\n");
    }
}
