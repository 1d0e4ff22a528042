//! Answers of Prometheus to range queries (`/api/v1/query_range`), read piece by piece.

use std::fmt;
use std::io::BufRead;
use std::sync::Arc;

use serde::de::{
    DeserializeSeed, Deserializer, Error as _, IgnoredAny, MapAccess, SeqAccess, Visitor,
};

use super::metric::{Quantity, SeriesLabels, Subject, quantity};
use super::number::{of_float, value};
use super::series::{Point, Points};
use super::{UsageReader, shared};
use crate::{ReadError, Source};

/// Reads an answer.
pub(super) fn read(
    usage: &mut UsageReader,
    file: &str,
    reader: &mut dyn BufRead,
    unnamed: Option<Quantity>,
) -> Result<(), ReadError> {
    let mut answer = Answer {
        usage,
        unnamed,
        series: 0,
        wrong: None,
        has_result: false,
    };
    let mut deserializer = serde_json::Deserializer::from_reader(reader);
    let read = answer
        .deserialize(&mut deserializer)
        .and_then(|()| deserializer.end());
    let has_result = answer.has_result;
    let place = |line| Source {
        file: Arc::clone(&shared(file)),
        line,
    };
    match (answer.wrong, read) {
        (Some((field, message)), Err(error)) => {
            Err(ReadError::wrong(place(error.line() as u64), field, message))
        }
        (_, Err(error)) if error.is_io() => Err(ReadError::Io {
            file: file.to_owned(),
            error: error.into(),
        }),
        (_, Err(error)) => {
            let message = error.to_string();
            Err(ReadError::wrong(place(error.line() as u64), "", message))
        }
        (_, Ok(())) if !has_result => {
            let message = "missing: this is no answer to a range query of Prometheus";
            Err(ReadError::wrong(place(1), "data.result", message))
        }
        (_, Ok(())) => Ok(()),
    }
}

/// Reading of an answer, and of the parts within: each is a map or list of JSON.
struct Answer<'u> {
    usage: &'u mut UsageReader,
    unnamed: Option<Quantity>,
    /// Series so far.
    series: usize,
    /// Field and description of a wrong value; the error of the parser has its line.
    wrong: Option<(String, String)>,
    has_result: bool,
}

impl Answer<'_> {
    fn refuse<E: serde::de::Error>(&mut self, field: impl Into<String>, message: String) -> E {
        let error = E::custom(&message);
        self.wrong = Some((field.into(), message));
        error
    }
}

impl<'de> DeserializeSeed<'de> for &mut Answer<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for &mut Answer<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an answer of Prometheus")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        while let Some(key) = map.next_key::<String>()? {
            match key.as_str() {
                "data" => map.next_value_seed(Data(self))?,
                "error" => {
                    let message: String = map.next_value()?;
                    return Err(self.refuse("error", message));
                }
                _ => {
                    map.next_value::<IgnoredAny>()?;
                }
            }
        }
        Ok(())
    }
}

/// `data` of an answer.
struct Data<'a, 'u>(&'a mut Answer<'u>);

impl<'de> DeserializeSeed<'de> for Data<'_, '_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for Data<'_, '_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object with resultType and result")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        while let Some(key) = map.next_key::<String>()? {
            match key.as_str() {
                "resultType" => {
                    let kind: String = map.next_value()?;
                    if !matches!(kind.as_str(), "matrix" | "vector") {
                        let message = format!("{kind:?}, not the matrix of a range query");
                        return Err(self.0.refuse("data.resultType", message));
                    }
                }
                "result" => map.next_value_seed(Results(self.0))?,
                _ => {
                    map.next_value::<IgnoredAny>()?;
                }
            }
        }
        Ok(())
    }
}

/// `data.result` of an answer.
struct Results<'a, 'u>(&'a mut Answer<'u>);

impl<'de> DeserializeSeed<'de> for Results<'_, '_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        self.0.has_result = true;
        deserializer.deserialize_seq(self)
    }
}

impl<'de> Visitor<'de> for Results<'_, '_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list of series")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<(), A::Error> {
        while list.next_element_seed(Series(self.0))?.is_some() {
            self.0.series += 1;
        }
        Ok(())
    }
}

/// One series of `data.result`.
struct Series<'a, 'u>(&'a mut Answer<'u>);

impl<'de> DeserializeSeed<'de> for Series<'_, '_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for Series<'_, '_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a series with metric and values")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let answer = self.0;
        let mut labels = SeriesLabels::default();
        let mut points = Points::default();
        while let Some(key) = map.next_key::<String>()? {
            match key.as_str() {
                "metric" => {
                    let metric: std::collections::BTreeMap<String, String> = map.next_value()?;
                    for (key, value) in &metric {
                        labels.take(key, value);
                    }
                }
                "values" => map.next_value_seed(Values {
                    answer,
                    points: &mut points,
                })?,
                "value" => map.next_value_seed(OneValue {
                    answer,
                    points: &mut points,
                    place: 0,
                })?,
                _ => {
                    map.next_value::<IgnoredAny>()?;
                }
            }
        }
        let field = format!("data.result[{}]", answer.series);
        let quantity = match labels.name.as_deref() {
            None | Some("") => answer.unnamed,
            Some(name) => match quantity(name) {
                Some(quantity) => Some(quantity),
                None => {
                    answer.usage.notes.foreign(name);
                    return Ok(());
                }
            },
        };
        let Some(quantity) = quantity else {
            let message = "no __name__, as in an answer to a query with a function: say which \
                           quantity it is, as in --usage cpu=FILE or memory=FILE";
            let field = format!("{field}.metric");
            return Err(answer.refuse(field, message.to_owned()));
        };
        let subject = labels.subject();
        let subject =
            subject.map_err(|message| answer.refuse(format!("{field}.metric.cpu"), message))?;
        match subject {
            Subject::Container(container) => answer
                .usage
                .take(&container, quantity, points)
                .map_err(|(place, message)| {
                    answer.refuse(format!("{field}.values[{place}]"), message)
                }),
            Subject::Pod => {
                answer.usage.notes.of_pods += 1;
                Ok(())
            }
            Subject::Other => {
                answer.usage.notes.of_others += 1;
                Ok(())
            }
        }
    }
}

/// `values` of a series.
struct Values<'a, 'u> {
    answer: &'a mut Answer<'u>,
    points: &'a mut Points,
}

impl<'de> DeserializeSeed<'de> for Values<'_, '_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_seq(self)
    }
}

impl<'de> Visitor<'de> for Values<'_, '_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list of times and values")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<(), A::Error> {
        let Self { answer, points } = self;
        for place in 0.. {
            let one = OneValue {
                answer: &mut *answer,
                points: &mut *points,
                place,
            };
            if list.next_element_seed(one)?.is_none() {
                break;
            }
        }
        Ok(())
    }
}

/// A time and a value.
struct OneValue<'a, 'u> {
    answer: &'a mut Answer<'u>,
    points: &'a mut Points,
    /// Number among the values of the series.
    place: u64,
}

impl<'de> DeserializeSeed<'de> for OneValue<'_, '_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_seq(self)
    }
}

impl<'de> Visitor<'de> for OneValue<'_, '_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list of a time and a value")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<(), A::Error> {
        let (place, series) = (self.place, self.answer.series);
        let field = || format!("data.result[{series}].values[{place}]");
        let missing = || A::Error::custom("a time and a value are needed");
        let time: f64 = list.next_element()?.ok_or_else(missing)?;
        let value = list.next_element_seed(Value)?.ok_or_else(missing)?;
        if list.next_element::<IgnoredAny>()?.is_some() {
            return Err(missing());
        }
        let Some(time) = of_float(time) else {
            let message = format!("{time} is no time in seconds since 1970");
            return Err(self.answer.refuse(field(), message));
        };
        match value {
            Ok(Some(value)) => self.points.0.push(Point { time, value, place }),
            Ok(None) => self.answer.usage.notes.not_a_number += 1,
            Err(message) => return Err(self.answer.refuse(field(), message)),
        }
        Ok(())
    }
}

/// A value, which Prometheus writes as a text.
struct Value;

impl<'de> DeserializeSeed<'de> for Value {
    type Value = Result<Option<f64>, String>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl Visitor<'_> for Value {
    type Value = Result<Option<f64>, String>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a number as a text")
    }

    fn visit_str<E>(self, text: &str) -> Result<Self::Value, E> {
        Ok(value(text))
    }
}
