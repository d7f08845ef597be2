//! The rasters of a call with their geometries and options, given by `href, metadata` or by a LIST of sources.
//!
//! Rows with the same metadata share one header, and rows with the same href share one file. If metadata is NULL,
//! headers are fetched, concurrently for all rows.
//!
//! The arguments of all rows are checked before any file is opened, because `on_error` must not hide invalid calls.

use std::sync::Arc;

use rasteret_cog::pixel::MaskRule;
use rasteret_cog::warp::Resampling;
use rasteret_cog::{EncodedGeometry, crs};
use rasteret_io::OnError;
use rasteret_io::Session;
use rasteret_io::query::{LevelChoice, MaskSource, ReadRequest, ResolvedRead, WeightSource};

use super::masks::{Masks, Unresolved as UnresolvedRaster, Weights};
use super::params;
use super::raster_files::files;
use crate::documentation::{Parameter, ValueType};
use crate::error::{Error, Result};
use crate::geometry::GeometryReader;
use crate::options::{Options, RowOptions};
use crate::vector::{Arguments, LogicalType, Reader, Signature, TypeId, Writer};

/// The overloads of a function with `href, metadata, geometry` and options.
pub(super) fn row_signatures(returns: fn() -> LogicalType) -> Vec<Signature> {
    let any = || LogicalType::of(TypeId::Any);
    with_options(|| vec![LogicalType::varchar(), any(), any()], returns)
}

/// The overloads of a function with `href, metadata, geometry` or `sources, geometry`, whose result is then a LIST,
/// followed by a number of further arguments and options. Further arguments have the type ANY: with a specific type,
/// DuckDB would prefer the overload of lists for a NULL.
pub(super) fn signatures(further: usize, returns: fn() -> LogicalType) -> Vec<Signature> {
    let anys = |count: usize| (0..count).map(|_| LogicalType::of(TypeId::Any));
    let of_row = || std::iter::once(LogicalType::varchar()).chain(anys(2 + further)).collect();
    let of_lists = || anys(2 + further).collect();
    let mut signatures = with_options(of_row, returns);
    signatures.extend(with_options(of_lists, || LogicalType::list(&returns())));
    signatures
}

/// The overloads with and without options.
fn with_options(parameters: impl Fn() -> Vec<LogicalType>, returns: impl Fn() -> LogicalType) -> Vec<Signature> {
    let overload = |options: Option<LogicalType>| Signature {
        parameters: parameters().into_iter().chain(options).collect(),
        returns: returns(),
    };
    vec![overload(None), overload(Some(LogicalType::of(TypeId::Any)))]
}

/// The geometries of the rows of a vector.
pub(super) enum Geometries<'a> {
    /// One per row; a NULL makes the result NULL.
    Each(GeometryReader<'a>),
    /// All rows read the whole image.
    Whole,
}

impl<'a> Geometries<'a> {
    /// The geometries of an argument that may be missing, or a NULL without a type: then all rows read the whole image.
    pub(super) fn or_whole(argument: Option<&'a Reader<'a>>) -> Result<Self> {
        Ok(match argument.map(GeometryReader::new).transpose()? {
            Some(reader) if !reader.is_untyped() => Self::Each(reader),
            _ => Self::Whole,
        })
    }

    /// The geometry of a row: None for a NULL, `Some(None)` for the whole image.
    fn of_row(&self, row: usize) -> Result<Option<Option<EncodedGeometry<'a>>>> {
        match self {
            Self::Each(reader) => Ok(reader.encoded(row)?.map(Some)),
            Self::Whole => Ok(Some(None)),
        }
    }

    fn type_crs(&self) -> Option<&str> {
        match self {
            Self::Each(reader) => reader.type_crs(),
            Self::Whole => None,
        }
    }
}

/// The rasters of the rows of a vector: one per row, or a LIST of sources.
struct Sources<'a> {
    hrefs: &'a Reader<'a>,
    metadata: Option<&'a Reader<'a>>,
    /// The sources, if they are STRUCTs.
    structs: Option<&'a Reader<'a>>,
    /// For each source, its row and its position in `hrefs`.
    places: Vec<(usize, usize)>,
}

/// The lengths of the lists of sources of a vector; None for NULL.
type Lengths = Vec<Option<usize>>;

impl<'a> Sources<'a> {
    /// One href and its metadata per row.
    fn of_rows(arguments: &'a Arguments<'a>) -> Result<Self> {
        let places = (0..arguments.rows()).map(|row| (row, row)).collect();
        Ok(Self { hrefs: arguments.required(0)?, metadata: arguments.optional(1), structs: None, places })
    }

    /// One LIST per row, of hrefs or of STRUCTs with a field `href`. Rows with a NULL geometry have no sources. `further` are fields
    /// besides those that all functions accept.
    fn of_lists(
        arguments: &'a Arguments<'a>,
        geometries: &Geometries<'a>,
        further: &[&Parameter],
    ) -> Result<(Self, Lengths)> {
        let lists = arguments.required(0)?;
        let wrong = |found: &LogicalType| {
            Error::argument(format!(
                "sources: expected a LIST of hrefs or of STRUCT(href VARCHAR, metadata STRUCT(…)), found {found}"
            ))
        };
        let (mut places, mut lengths) = (Vec::new(), Vec::with_capacity(arguments.rows()));
        let mut elements = None;
        for row in 0..arguments.rows() {
            let list = lists.list(row).filter(|_| !lists.is_null(row));
            let Some((range, reader)) = list.filter(|_| lists.kind().id() != TypeId::Map) else {
                lengths.push(None);
                continue;
            };
            elements = Some(reader);
            let is_null = geometries.of_row(row)?.is_none();
            lengths.push((!is_null).then_some(range.len()));
            if !is_null {
                places.extend(range.map(|element| (row, element)));
            }
        }
        let Some(elements) = elements else {
            let is_list = matches!(lists.kind().id(), TypeId::List | TypeId::Array | TypeId::SqlNull);
            return if is_list {
                Ok((Self { hrefs: lists, metadata: None, structs: None, places }, lengths))
            } else {
                Err(wrong(lists.kind()))
            };
        };
        let sources = match elements.kind().id() {
            // The elements of `[]` and `[NULL]` have the type NULL.
            TypeId::Varchar | TypeId::StringLiteral | TypeId::SqlNull => {
                Self { hrefs: elements, metadata: None, structs: None, places }
            }
            TypeId::Struct => Self::of_structs(elements, further, places)?.ok_or_else(|| wrong(lists.kind()))?,
            _ => return Err(wrong(lists.kind())),
        };
        Ok((sources, lengths))
    }

    /// Sources as STRUCTs; None without a field `href`.
    fn of_structs(
        structs: &'a Reader<'a>,
        further: &[&Parameter],
        places: Vec<(usize, usize)>,
    ) -> Result<Option<Self>> {
        check_fields(structs.kind(), further)?;
        let metadata = structs.field(params::METADATA.name);
        Ok(structs.field(params::HREF.name).map(|hrefs| Self { hrefs, metadata, structs: Some(structs), places }))
    }

    /// A LIST of sources, or a single source, per row.
    fn of_images(arguments: &'a Arguments<'a>, geometries: &Geometries<'a>) -> Result<(Self, Lengths)> {
        let sources = arguments.required(0)?;
        let is_single =
            |kind: &LogicalType| matches!(kind.id(), TypeId::Varchar | TypeId::StringLiteral | TypeId::Struct);
        if !is_single(sources.kind()) {
            return Self::of_lists(arguments, geometries, &IMAGE_FIELDS);
        }
        let (mut places, mut lengths) = (Vec::new(), Vec::with_capacity(arguments.rows()));
        for row in 0..arguments.rows() {
            let is_null = sources.is_null(row) || geometries.of_row(row)?.is_none();
            lengths.push((!is_null).then_some(1));
            places.extend((!is_null).then_some((row, row)));
        }
        let sources = match sources.kind().id() {
            TypeId::Struct => Self::of_structs(sources, &IMAGE_FIELDS, places)?.ok_or_else(|| {
                let found = sources.kind();
                Error::argument(format!("sources: expected a STRUCT with a field href, found {found}"))
            })?,
            _ => Self { hrefs: sources, metadata: None, structs: None, places },
        };
        Ok((sources, lengths))
    }

    /// The href of a source; None for a NULL source.
    fn href(&self, element: usize) -> Option<&'a str> {
        self.structs.is_none_or(|structs| !structs.is_null(element)).then(|| self.hrefs.text(element)).flatten()
    }

    /// A field of a source that exists and is not NULL.
    fn field(&self, name: &str, element: usize) -> Option<&Reader<'a>> {
        self.structs?.field(name).filter(|field| !field.is_null(element))
    }
}

/// The fields of a source, which override the options of the same names. `name` is used by pixel tables.
const SOURCE_FIELDS: [&Parameter; 6] = [
    &params::HREF,
    // Its fields are checked by its reader.
    &params::METADATA,
    &params::BAND_INDEX,
    &params::SCALED,
    &params::MASK,
    &Parameter { name: "name", value: ValueType::Text, default: None, description: "The name of a column." },
];

/// The further fields of the sources of an image.
const IMAGE_FIELDS: [&Parameter; 2] = [&params::BANDS, &params::GRID_RESAMPLING];

fn check_fields(kind: &LogicalType, further: &[&Parameter]) -> Result<()> {
    let fields: Vec<&Parameter> = SOURCE_FIELDS.iter().chain(further).copied().collect();
    for (name, kind) in kind.fields() {
        let known = fields.iter().find(|field| field.name.eq_ignore_ascii_case(&name));
        if !known.is_some_and(|field| field.value.accepts(&kind)) {
            let names = fields.iter().map(|field| field.name).collect::<Vec<_>>().join(", ");
            return Err(Error::argument(format!(
                "sources: expected STRUCTs of {names}, found the field {name} {kind}"
            )));
        }
    }
    Ok(())
}

/// The arguments of a call that reads pixels.
pub(super) struct SourceArguments<'a> {
    arguments: &'a Arguments<'a>,
    sources: Sources<'a>,
    /// The lengths of the lists of sources; None if there is one source per row.
    lengths: Option<Lengths>,
    geometries: Geometries<'a>,
    options: Options<'a>,
    /// Reads the level of a row.
    level: fn(&RowOptions<'a>) -> Result<LevelChoice>,
    /// The position of the first further argument.
    first: usize,
}

impl<'a> SourceArguments<'a> {
    /// The arguments of a function with `href, metadata, geometry` or `sources, geometry`, followed by a number of
    /// further arguments and options. None if the first argument is an untyped NULL: DuckDB
    /// then selects the overload with a list, so the result is a NULL list.
    pub(super) fn new(
        arguments: &'a Arguments<'a>,
        further: usize,
        known: &'static [Parameter],
    ) -> Result<Option<Self>> {
        let kind = arguments.required(0)?.kind().id();
        if kind == TypeId::SqlNull {
            return Ok(None);
        }
        let is_list = !matches!(kind, TypeId::Varchar | TypeId::StringLiteral);
        let at = if is_list { 1 } else { 2 };
        let (expected, found) = (at + 1 + further, arguments.count());
        if found < expected {
            // DuckDB matches a call with too few arguments to the other overload.
            return Err(Error::argument(format!(
                "expected href, metadata and a geometry, or a LIST of sources and a geometry: at least {expected} arguments, found {found}"
            )));
        }
        let geometries = Geometries::Each(GeometryReader::new(arguments.required(at)?)?);
        let first = at + 1;
        let options = Options::new(arguments.optional(first + further), known)?;
        if !is_list {
            return Self::of_rows(arguments, first, geometries, options).map(Some);
        }
        let (sources, lengths) = Sources::of_lists(arguments, &geometries, &[])?;
        let level = params::level;
        Ok(Some(Self { arguments, sources, lengths: Some(lengths), geometries, options, level, first }))
    }

    /// The arguments of a function with `sources, geometry` and options only, whose sources may be resampled.
    pub(super) fn of_lists(arguments: &'a Arguments<'a>, options: Options<'a>) -> Result<Self> {
        let geometries = Geometries::Each(GeometryReader::new(arguments.required(1)?)?);
        let (sources, lengths) = Sources::of_lists(arguments, &geometries, &[&params::GRID_RESAMPLING])?;
        let level = params::level;
        Ok(Self { arguments, sources, lengths: Some(lengths), geometries, options, level, first: 2 })
    }

    /// The arguments of a function that makes an image of a list of sources, or of a single source.
    pub(super) fn of_images(
        arguments: &'a Arguments<'a>,
        geometries: Geometries<'a>,
        options: Options<'a>,
    ) -> Result<Self> {
        let (sources, lengths) = Sources::of_images(arguments, &geometries)?;
        let level = params::image_level;
        Ok(Self { arguments, sources, lengths: Some(lengths), geometries, options, level, first: 2 })
    }

    /// A source by position, in the order of the rows and their lists, also if it is NULL.
    pub(super) fn source(&'a self, at: usize) -> Option<Source<'a>> {
        let &(row, element) = self.sources.places.get(at)?;
        Some(Source { row, options: self.options.row(row), fields: &self.sources, element })
    }

    /// The arguments of a function with `href, metadata`, and the given geometries and options.
    pub(super) fn of_rows(
        arguments: &'a Arguments<'a>,
        first: usize,
        geometries: Geometries<'a>,
        options: Options<'a>,
    ) -> Result<Self> {
        if let Some(metadata) = arguments.optional(1) {
            options.check_not_options(params::METADATA.name, metadata.kind())?;
        }
        let sources = Sources::of_rows(arguments)?;
        Ok(Self { arguments, sources, lengths: None, geometries, options, level: params::level, first })
    }

    /// A further argument.
    pub(super) fn further(&self, index: usize) -> Result<&'a Reader<'a>> {
        self.arguments.required(self.first + index)
    }

    /// Resolves the sources, each with the options that `read_options` returns; None if the result is NULL.
    pub(super) fn resolve<T>(
        &'a self,
        session: &Session,
        read_options: impl Fn(&Source<'a>) -> Result<T>,
    ) -> Result<Vec<Option<(ResolvedRead<'a>, T)>>> {
        let sources = &self.sources;
        let mut masks = SourceMasks::new(self)?;
        let mut rows = Vec::with_capacity(sources.places.len());
        for (index, &(row, element)) in sources.places.iter().enumerate() {
            let (Some(_), Some(geometry)) = (sources.href(element), self.geometries.of_row(row)?) else {
                continue;
            };
            let source = Source { row, options: self.options.row(row), fields: sources, element };
            masks.push(&source)?;
            let level = (self.level)(&source.options)?;
            rows.push(unresolved(index, &source, (geometry, level), &read_options)?);
        }
        let indices: Vec<usize> = rows.iter().map(|row| row.element).collect();
        let files = files(session, sources.hrefs, sources.metadata, &indices)?;
        let masks = masks.resolve(session)?;
        let weights = self.weights(session, &rows)?;
        let mut requests: Vec<Option<ReadRequest<'a>>> = sources.places.iter().map(|_| None).collect();
        let mut source_options: Vec<Option<T>> = sources.places.iter().map(|_| None).collect();
        for (((row, file), mask), weights) in rows.into_iter().zip(files).zip(masks).zip(weights) {
            let Unresolved { index, geometry, geometry_crs, level, band_index, masked, on_error, options, .. } = row;
            let files = file.and_then(|file| Ok((file, mask.transpose()?, weights.transpose()?)));
            let (file, mask, weights) = match files {
                Ok(files) => files,
                // An invalid href counts as an unreadable file; a file that DuckDB's settings forbid does not.
                Err(error) if on_error == OnError::Null && error.denial().is_none() => {
                    check(geometry, geometry_crs)?;
                    continue;
                }
                Err(error) => return Err(error.into()),
            };
            let type_crs = self.geometries.type_crs();
            requests[index] = Some(ReadRequest {
                file,
                level,
                band_index,
                masked,
                mask,
                weights,
                geometry,
                geometry_crs,
                type_crs,
                on_error,
            });
            source_options[index] = Some(options);
        }
        let resolved = session.prepare(requests)?.into_iter().zip(source_options);
        Ok(resolved.map(|(resolved, options)| Some((resolved?, options?))).collect())
    }

    /// The weights of rows, from the option `weights`.
    fn weights<T>(&self, session: &Session, rows: &[Unresolved<'_, T>]) -> Result<Vec<BesideSource<WeightSource>>> {
        let none = || rows.iter().map(|_| None).collect();
        let Some(mut weights) = self.options.column(&params::WEIGHTS).map(Weights::weights).transpose()?.flatten()
        else {
            return Ok(none());
        };
        let unresolved = rows.iter().map(|row| weights.of_row(row.row)).collect::<Result<Vec<_>>>()?;
        let has_weights: Vec<bool> = unresolved.iter().map(Option::is_some).collect();
        let mut resolved = weights.resolve(session, unresolved.into_iter().flatten().collect())?.into_iter();
        Ok(has_weights.into_iter().map(|has| has.then(|| resolved.next()).flatten()).collect())
    }

    /// The number of sources of each row, for lists; None for NULL.
    pub(super) fn lengths(&self) -> &[Option<usize>] {
        self.lengths.as_deref().unwrap_or_default()
    }

    /// Writes a result for each source, to the rows or to the elements of their lists.
    pub(super) fn write(
        &self,
        output: &mut Writer<'_>,
        write: impl FnOnce(&mut Writer<'_>) -> Result<()>,
    ) -> Result<()> {
        match &self.lengths {
            Some(lengths) => write(&mut output.lists(lengths)?),
            None => write(output),
        }
    }
}

/// The masks of a call, from fields of the sources or else from the option.
struct SourceMasks<'a> {
    of_sources: Option<Masks<'a>>,
    of_options: Option<Masks<'a>>,
    /// For each source with a mask, whether it is a field of the source.
    is_own: Vec<Option<bool>>,
    own: Vec<UnresolvedRaster<MaskRule>>,
    others: Vec<UnresolvedRaster<MaskRule>>,
}

/// The mask or weights of a source, if it has any, or the error of the file.
type BesideSource<S> = Option<Result<Arc<S>, rasteret_io::Error>>;

impl<'a> SourceMasks<'a> {
    fn new(call: &'a SourceArguments<'a>) -> Result<Self> {
        let of_sources = call.sources.structs.and_then(|structs| structs.field(params::MASK.name));
        let masks = |reader: Option<&'a Reader<'a>>| reader.map(Masks::masks).transpose().map(Option::flatten);
        Ok(Self {
            of_sources: masks(of_sources)?,
            of_options: masks(call.options.column(&params::MASK))?,
            is_own: Vec::new(),
            own: Vec::new(),
            others: Vec::new(),
        })
    }

    /// Adds the mask of a source.
    fn push(&mut self, source: &Source<'_>) -> Result<()> {
        let of = |masks: &Option<Masks<'_>>, element| masks.as_ref().map_or(Ok(None), |masks| masks.of_row(element));
        let is_own = if let Some(mask) = of(&self.of_sources, source.element)? {
            self.own.push(mask);
            Some(true)
        } else if let Some(mask) = of(&self.of_options, source.row)? {
            self.others.push(mask);
            Some(false)
        } else {
            None
        };
        self.is_own.push(is_own);
        Ok(())
    }

    /// The masks, in the order of the sources.
    fn resolve(mut self, session: &Session) -> Result<Vec<BesideSource<MaskSource>>> {
        let resolve = |masks: &mut Option<Masks<'_>>, unresolved| match masks {
            Some(masks) => masks.resolve(session, unresolved),
            None => Ok(Vec::new()),
        };
        let mut own = resolve(&mut self.of_sources, self.own)?.into_iter();
        let mut others = resolve(&mut self.of_options, self.others)?.into_iter();
        let of_source = |is_own: Option<bool>| if is_own? { own.next() } else { others.next() };
        Ok(self.is_own.into_iter().map(of_source).collect())
    }
}

/// Writes NULL for all rows of a call whose sources are a bare NULL.
pub(super) fn write_nulls(output: &mut Writer<'_>, rows: usize) -> Result<()> {
    output.lists(&vec![None; rows]).map(|_| ())
}

/// One source of a row.
pub(super) struct Source<'a> {
    /// The row of the source.
    pub(super) row: usize,
    /// The options of the row.
    pub(super) options: RowOptions<'a>,
    fields: &'a Sources<'a>,
    element: usize,
}

impl Source<'_> {
    /// Whether it is NULL, or its href is.
    pub(super) fn is_null(&self) -> bool {
        self.fields.href(self.element).is_none()
    }

    /// The bands of the source, else those of the options; None for the band of the file's header, or the first.
    pub(super) fn bands(&self) -> Result<Vec<Option<u32>>> {
        let own = |field: &Parameter| self.fields.field(field.name, self.element);
        let numbers = own(&params::BANDS).and_then(|field| field.list(self.element));
        let bands = match numbers.map(|(range, numbers)| range.map(|at| numbers.integer(at)).collect::<Vec<_>>()) {
            Some(numbers) => Some(params::bands_of(&numbers)?),
            None if own(&params::BAND_INDEX).is_some() => None,
            None => params::bands(&self.options)?,
        };
        match bands {
            Some(bands) => Ok(bands.into_iter().map(Some).collect()),
            None => Ok(vec![self.band_index()?]),
        }
    }

    /// The resampling method of the source, else that of the options; None for the default of the raster.
    pub(super) fn resampling(&self) -> Result<Option<Resampling>> {
        let own =
            self.fields.field(params::GRID_RESAMPLING.name, self.element).and_then(|field| field.text(self.element));
        own.map_or_else(|| params::grid_resampling(&self.options), |name| params::resampling_named(name).map(Some))
    }

    /// The band of the source, else that of the options.
    fn band_index(&self) -> Result<Option<u32>> {
        let own =
            self.fields.field(params::BAND_INDEX.name, self.element).and_then(|field| field.integer(self.element));
        let Some(band) = own else {
            return params::band_index(&self.options);
        };
        let wrong = |_| Error::argument(format!("band_index: expected {}, found {band}", params::A_BAND));
        u32::try_from(band).map(Some).map_err(wrong)
    }

    /// Whether values are scaled, according to the source, else the options.
    pub(super) fn scaled(&self) -> bool {
        let own = self.fields.field(params::SCALED.name, self.element).and_then(|field| field.boolean(self.element));
        own.unwrap_or_else(|| params::scaled(&self.options))
    }
}

/// A source whose file is not resolved yet.
struct Unresolved<'a, T> {
    /// Its position among the sources.
    index: usize,
    row: usize,
    /// Its position in the list of hrefs.
    element: usize,
    geometry: Option<EncodedGeometry<'a>>,
    geometry_crs: Option<&'a str>,
    level: LevelChoice,
    band_index: Option<u32>,
    masked: bool,
    on_error: OnError,
    options: T,
}

/// The request of a source, by its row's options.
fn unresolved<'a, T>(
    index: usize,
    source: &Source<'a>,
    (geometry, level): (Option<EncodedGeometry<'a>>, LevelChoice),
    read_options: impl Fn(&Source<'a>) -> Result<T>,
) -> Result<Unresolved<'a, T>> {
    Ok(Unresolved {
        index,
        row: source.row,
        element: source.element,
        geometry,
        geometry_crs: source.options.borrowed_text(&params::GEOMETRY_CRS),
        level,
        band_index: source.band_index()?,
        masked: params::masked(&source.options),
        on_error: params::on_error(&source.options)?.unwrap_or(OnError::Fail),
        options: read_options(source)?,
    })
}

/// Checks the geometry of a row whose file cannot be read.
fn check(geometry: Option<EncodedGeometry<'_>>, geometry_crs: Option<&str>) -> Result<()> {
    if let Some(geometry) = geometry {
        geometry.parse()?;
    }
    Ok(geometry_crs.map_or(Ok(()), crs::check_name)?)
}
