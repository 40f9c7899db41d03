"""Papers whose tables and figures one command measures and writes anew."""

from visuomotor.reproduction.part import Part, Where

__all__ = ["Part", "Where"]
