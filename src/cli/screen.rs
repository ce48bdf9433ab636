//! A message as the phone shows it, drawn with box characters.

use std::fmt;

use super::drawing::{printable, width_of, wrapped};
use crate::emulator::Screen;
use crate::model::Encoding;

/// Columns of text on the drawn screen.
const WIDTH: usize = 46;

/// Draws a phone's screen.
pub(super) struct Phone<'a>(pub(super) &'a Screen<'a>);

impl fmt::Display for Phone<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let screen = self.0;
        let encoding = match screen.encoding {
            Encoding::Gsm7 => "GSM 7-bit",
            Encoding::Ucs2 => "UCS-2",
        };
        let parts = if screen.parts == 1 { "1 part".to_owned() } else { format!("{} parts", screen.parts) };
        writeln!(f, "  phone {}", screen.destination)?;
        writeln!(f, "  ┌{}┐", "─".repeat(WIDTH + 2))?;
        line(f, &format!("from {}", printable(screen.sender)))?;
        writeln!(f, "  ├{}┤", "─".repeat(WIDTH + 2))?;
        for paragraph in screen.text.split('\n') {
            for row in wrapped(&printable(paragraph), WIDTH) {
                line(f, &row)?;
            }
        }
        writeln!(f, "  └{}┘", "─".repeat(WIDTH + 2))?;
        write!(f, "    {parts}, {encoding}, {}", screen.status.as_str())
    }
}

fn line(f: &mut fmt::Formatter<'_>, text: &str) -> fmt::Result {
    let blank = WIDTH.saturating_sub(width_of(text));
    writeln!(f, "  │ {text}{} │", " ".repeat(blank))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::emulator::Status;

    #[test]
    fn a_screen_shows_sender_text_parts_and_encoding() {
        let screen = Screen {
            destination: "+393471234567",
            sender: "Printer",
            text: "Paper jam in tray 2 of the big printer on the third floor\n\u{1b}[2J",
            encoding: Encoding::Gsm7,
            parts: 1,
            status: Status::Delivered,
        };
        assert_eq!(
            Phone(&screen).to_string(),
            "  phone +393471234567
  ┌────────────────────────────────────────────────┐
  │ from Printer                                   │
  ├────────────────────────────────────────────────┤
  │ Paper jam in tray 2 of the big printer on the  │
  │ third floor                                    │
  │ ·[2J                                           │
  └────────────────────────────────────────────────┘
    1 part, GSM 7-bit, DELIVERED"
        );
    }
}
