//! Measures the headers per second of one call of `Session::headers`: a benchmark of fetching without DuckDB.
//!
//! `headers URL [COUNT [REPEAT]]`: `{}` in the URL is replaced by the number of the file, so that URLs are distinct:
//! `headers 'http://127.0.0.1:8765/e/{}/u16_deflate_p2_t256.tif' 1000 5`. Every repetition has a new session, so that
//! connections are opened and nothing is cached.

use std::time::Instant;

use rasteret_io::Session;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let url = arguments.first().ok_or("usage: headers URL [COUNT [REPEAT]]")?;
    let count: usize = arguments.get(1).map_or(Ok(1000), |text| text.parse())?;
    let repeat: usize = arguments.get(2).map_or(Ok(5), |text| text.parse())?;
    let mut rates = Vec::new();
    for run in 0..repeat {
        let hrefs: Vec<String> = (0..count).map(|file| url.replace("{}", &format!("{run}/{file:06}"))).collect();
        let hrefs: Vec<&str> = hrefs.iter().map(String::as_str).collect();
        let session = Session::from_env()?;
        let start = Instant::now();
        let answers = session.headers(&hrefs);
        let seconds = start.elapsed().as_secs_f64();
        let failed: Vec<_> = answers.iter().filter_map(|answer| answer.as_ref().err()).collect();
        if let Some(error) = failed.first() {
            return Err(format!("{} of {count} failed, the first: {error}", failed.len()).into());
        }
        rates.push(count as f64 / seconds);
    }
    rates.sort_by(f64::total_cmp);
    println!("{count} files, {repeat} runs: median {:.0} headers/s, best {:.0}", rates[repeat / 2], rates[repeat - 1]);
    Ok(())
}
